/** PostgreSQL under pgbench's TPC-B-like load. Each side has its own server, which runs only while this is measured. */
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { LabError } from '@holdfast/lab'
import { postgresqlPrograms } from '../packages.js'
import type { Side } from '../sides/side.js'
import { percentile } from '../statistics.js'
import type { Measurement, Workload } from './workload.js'

/** 10 branches: enough that 8 clients seldom wait for each other's row. */
const scale = 10
/** What runs by itself at some time or other would be in some rounds and not in others. */
const settings = [
  "listen_addresses=''",
  'autovacuum=off',
  'checkpoint_timeout=1h',
  'max_wal_size=1GB',
]
const setUpTimeoutMs = 300_000

export const pgbenchWorkloads: readonly Workload[] = [1, 8].map((clients) => ({
  name: `pgbench-c${clients}`,
  title: `PostgreSQL TPC-B, ${clients} client${clients === 1 ? '' : 's'}`,
  unit: 'tps',
  prepare: startServer,
  async beforeRound(side) {
    // Every round begins with the same duty: the first change of each page after it is logged in full.
    await postgres(side, 'psql', ['-q', '-h', sockets(side), '-c', 'CHECKPOINT', 'postgres'])
  },
  measure: (side, seconds) => transact(side, clients, seconds),
  clean: endServer,
}))

async function startServer(side: Side): Promise<void> {
  const data = dataOf(side)
  await side.node.mustRun(['rm', '-rf', data, sockets(side)])
  for (const directory of [data, sockets(side)]) {
    const owner = ['-o', 'postgres', '-g', 'postgres', '-m', '0700']
    await side.node.mustRun(['install', '-d', ...owner, directory])
  }
  const form = ['--data-checksums', '--encoding=UTF8', '--locale=C.UTF-8', '--auth=peer']
  await postgres(side, 'initdb', ['--pgdata', data, ...form])
  const options = [...settings, `unix_socket_directories=${sockets(side)}`]
  await postgres(side, 'pg_ctl', [
    ...['start', '--pgdata', data, '--wait', '--silent', `--log=${sockets(side)}/log`],
    `--options=${options.map((option) => `-c ${option}`).join(' ')}`,
  ])
  const fill = ['--initialize', '--quiet', `--scale=${scale}`]
  await postgres(side, 'pgbench', ['-h', sockets(side), ...fill, 'postgres'])
}

async function endServer(side: Side): Promise<void> {
  const data = dataOf(side)
  const isThere = await side.node.run(['test', '-e', join(data, 'postmaster.pid')])
  if (isThere.code === 0) {
    await postgres(side, 'pg_ctl', ['stop', '--pgdata', data, '--wait', '--mode=fast'])
  }
  await side.node.mustRun(['rm', '-rf', data], { timeoutMs: setUpTimeoutMs })
}

async function transact(side: Side, clients: number, seconds: number): Promise<Measurement> {
  const log = `--log-prefix=${sockets(side)}/transactions`
  const load = ['--no-vacuum', `--client=${clients}`, `--jobs=${Math.min(clients, 2)}`]
  const output = await postgres(side, 'pgbench', [
    ...['-h', sockets(side), ...load, `--time=${seconds}`, '--log', log, 'postgres'],
  ])
  const { tps, transactions } = parsePgbench(output)
  const latencies = await takeLatencies(side)
  return {
    value: tps,
    operations: transactions,
    p50us: percentile(latencies, 50),
    p99us: percentile(latencies, 99),
  }
}

/** Throws a LabError when a transaction failed or the summary is missing. */
export function parsePgbench(output: string): { tps: number; transactions: number } {
  const tps = Number(/^tps = ([\d.]+)/m.exec(output)?.[1])
  const transactions = Number(/actually processed: (\d+)/.exec(output)?.[1])
  const failed = Number(/failed transactions: (\d+)/.exec(output)?.[1] ?? 0)
  if (!(tps > 0) || !(transactions > 0) || failed > 0) {
    throw new LabError(`pgbench did not end well: ${output.trim().slice(-1_000)}`)
  }
  return { tps, transactions }
}

/** Lines `CLIENT TRANSACTION MICROSECONDS …` of all threads; the files are removed. */
async function takeLatencies(side: Side): Promise<readonly number[]> {
  const directory = await side.node.inside(sockets(side))
  const names = (await readdir(directory)).filter((name) => name.startsWith('transactions.'))
  const latencies: number[] = []
  for (const name of names) {
    const file = join(directory, name)
    for (const line of (await readFile(file, 'utf8')).split('\n')) {
      const field = line.split(' ')[2]
      if (field !== undefined) latencies.push(Number(field))
    }
    await rm(file)
  }
  return latencies
}

async function postgres(side: Side, program: string, args: readonly string[]): Promise<string> {
  const programs = await postgresqlPrograms()
  if (programs === undefined) throw new LabError('PostgreSQL is not installed')
  const command = ['runuser', '-u', 'postgres', '--', join(programs, program), ...args]
  return side.node.mustRun(command, { timeoutMs: setUpTimeoutMs })
}

function dataOf(side: Side): string {
  return join(side.directory, 'postgresql')
}

/** Sockets, server log and transaction log: none of them on the disk that is measured. */
function sockets(side: Side): string {
  return `/run/bench-${side.name}`
}
