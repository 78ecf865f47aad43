/** The applications that demo and tests make highly available: what it needs, how clients use it, what its data says. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Host } from '../host.js'
import { freeAddress } from '../spec.js'
import type { Entries } from './judge.js'

export const virtualIp = freeAddress().ipv4
const clients = fileURLToPath(new URL('./clients/', import.meta.url))

/** How much the clients ask for: each worker waits for its answer, and `pauseMs` more. */
export interface Load {
  readonly workers: number
  readonly pauseMs: number
}

const usualLoad: Load = { workers: 4, pauseMs: 5 }

export interface Application {
  /** Name of the module. */
  readonly name: string
  /** The command line of its server. */
  readonly process: RegExp
  /** The replicated directory, as the nodes see it. */
  readonly directory: string
  /** Once, on the node that got the first `prim`. */
  prepare(node: Host): Promise<void>
  /** Starts clients that write what they were promised to `recordFile`. */
  startClients(client: Host, recordFile: string, load?: Load): Promise<void>
  /** Everything that the application knows, asked through the virtual IP by a client. */
  entries(client: Host): Promise<Entries>
  /** What the files of one replica say, read without the application; undefined: only the application can read them. */
  readFiles(directory: string): Promise<Entries | undefined>
  /** Makes the data on disk stand still, as far as the application can. */
  settle(node: Host): Promise<void>
  /** The application's own check of its data; undefined: it has none. */
  check(node: Host): Promise<{ readonly name: string; readonly clean: boolean } | undefined>
}

const ledgerUrl = `http://${virtualIp}:8080`

export const ledger: Application = {
  name: 'ledger',
  process: /ledger-server\.mjs/,
  directory: '/srv/ledger',
  prepare: () => Promise.resolve(),
  async startClients(client, recordFile, load = usualLoad) {
    const program = join(clients, 'ledger.js')
    const args = [ledgerUrl, recordFile, String(load.workers), String(load.pauseMs)]
    await client.start([process.execPath, program, ...args], { log: 'clients' })
  },
  async entries(client) {
    const fetchAll = `process.stdout.write(await (await fetch('${ledgerUrl}/entries')).text())`
    return parseEntries(
      await client.mustRun([process.execPath, '--input-type=module', '-e', fetchAll]),
    )
  },
  async readFiles(directory) {
    return parseEntries(await readFile(join(directory, 'ledger.txt'), 'utf8'))
  },
  settle: () => Promise.resolve(),
  check: () => Promise.resolve(undefined),
}

const sockets = '/run/holdfast-postgresql'
const password = `demo-${Math.random().toString(36).slice(2)}`
const clientLogin = { PGPASSWORD: password, PGCONNECT_TIMEOUT: '2' }

function administrate(node: Host, sql: string, database = 'postgres'): Promise<string> {
  const psql = ['psql', '--no-psqlrc', '--quiet', '--set=ON_ERROR_STOP=1', `--host=${sockets}`]
  return node.mustRun(['runuser', '-u', 'postgres', '--', ...psql, `--dbname=${database}`], {
    input: sql,
  })
}

export const postgresql: Application = {
  name: 'postgresql',
  process: /\/postgres .*-D /,
  directory: '/srv/postgresql',
  async prepare(node) {
    await administrate(
      node,
      `CREATE ROLE demo LOGIN PASSWORD '${password}';\nCREATE DATABASE demo OWNER demo;\n`,
    )
    await administrate(
      node,
      'CREATE EXTENSION amcheck; SET ROLE demo; CREATE TABLE entries (id text PRIMARY KEY);\n',
      'demo',
    )
  },
  async startClients(client, recordFile, load = usualLoad) {
    const flags = ['--no-psqlrc', '--quiet', '--tuples-only', '--no-align', '--set=ON_ERROR_STOP=1']
    const psql = ['psql', ...flags, `--host=${virtualIp}`, '--username=demo', '--dbname=demo']
    await startSqlClients(client, recordFile, {
      // Each statement is a transaction of its own, and a repeated id changes nothing.
      statement:
        "INSERT INTO entries (id) VALUES (':id') ON CONFLICT (id) DO UPDATE SET id = excluded.id " +
        "RETURNING id || ' ' || current_setting('cluster_name');",
      program: psql,
      env: clientLogin,
      load,
    })
  },
  async entries(client) {
    const flags = ['--no-psqlrc', '--tuples-only', '--no-align', `--host=${virtualIp}`]
    const query = 'SELECT 0, id FROM entries'
    const text = await client.mustRun(
      ['psql', ...flags, '--field-separator= ', '-U', 'demo', '-d', 'demo', '-c', query],
      { env: clientLogin },
    )
    return parseEntries(text)
  },
  readFiles: () => Promise.resolve(undefined),
  async settle(node) {
    await administrate(node, 'CHECKPOINT;')
  },
  async check(node) {
    const amcheck = `$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)/pg_amcheck`
    const command = `exec runuser -u postgres -- ${amcheck} --host=${sockets} --heapallindexed demo`
    const result = await node.run(['sh', '-c', command], { timeoutMs: 60_000 })
    return { name: 'pg_amcheck', clean: result.code === 0 }
  },
}

/** Clients that commit rows through a program of the database; see clients/sql.ts. */
export async function startSqlClients(
  client: Host,
  recordFile: string,
  options: {
    readonly statement: string
    readonly program: readonly string[]
    readonly env: Readonly<Record<string, string>>
    readonly load?: Load | undefined
  },
): Promise<void> {
  const { statement, program, env, load = usualLoad } = options
  const args = [recordFile, String(load.workers), String(load.pauseMs), statement, ...program]
  await client.start([process.execPath, join(clients, 'sql.js'), ...args], { log: 'clients', env })
}

/** Clients that put files through HTTP; see clients/files.ts. */
export async function startFileClients(
  client: Host,
  recordFile: string,
  url: string,
  load = usualLoad,
): Promise<void> {
  const args = [url, recordFile, String(load.workers), String(load.pauseMs)]
  await client.start([process.execPath, join(clients, 'files.js'), ...args], { log: 'clients' })
}

/** Lines `SEQUENCE ID`. */
export function parseEntries(text: string): Entries {
  const entries = new Map<string, number>()
  for (const line of text.split('\n')) {
    const [sequence, id] = line.split(' ')
    // PostgreSQL numbers nothing: 0 stands for that, and the client's record then has no number to compare.
    if (id !== undefined) entries.set(id, Number(sequence))
  }
  return entries
}
