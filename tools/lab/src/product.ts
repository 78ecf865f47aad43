/** Holdfast in a lab: starts the daemon of a node as systemd would, gives it commands, asks its API. */
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type CommandOptions, type CommandResult, LabError } from './command.js'
import { type Host, scriptsDirectory } from './host.js'
import type { LabSpec } from './spec.js'
import { cablesOf } from './spec.js'
import { signal } from './processes.js'
import { until } from './wait.js'

const daemonProgram = fileURLToPath(new URL('../../../core/dist/main.js', import.meta.url))
const commandProgram = fileURLToPath(new URL('../../cli/dist/main.js', import.meta.url))
const answerBytesMax = 4 * 1024 * 1024

/** What the API says about a module; only what tests and demo read. */
export interface ModuleAnswer {
  readonly name: string
  readonly id: number | undefined
  readonly configured: boolean
  readonly state:
    | {
        readonly role: string
        readonly sub: string
        readonly detail?: string
        readonly cause: string
        readonly generation?: string
        readonly progress?: { readonly bytesDone: number }
      }
    | undefined
  readonly failure?: { readonly code: string; readonly reason: string }
}

interface LogAnswer {
  readonly entries: readonly {
    readonly event: string
    readonly fields: Readonly<Record<string, unknown>>
  }[]
}

interface ClusterAnswer {
  readonly self: string | undefined
  readonly nodes: readonly { readonly node: string; readonly connected: boolean }[]
}

export class Product {
  readonly host: Host

  constructor(host: Host) {
    this.host = host
  }

  /**
   * Starts the daemon and whoever starts it again when it dies; returns when it answers. `env` is added to the daemon's
   * environment; `program` is the daemon of another installation.
   */
  async start(env: Readonly<Record<string, string>> = {}, program = daemonProgram): Promise<void> {
    for (const needed of [program, commandProgram]) {
      if (!existsSync(needed)) throw new LabError(`${needed} is missing: run npm run build`)
    }
    await this.#putCommandInPath()
    const pidFile = '/run/holdfastd.pid'
    const supervise = ['sh', join(scriptsDirectory, 'supervise.sh'), pidFile, '/dev/stdout']
    await this.host.start([...supervise, process.execPath, program], {
      log: 'holdfastd',
      env,
    })
    await this.waitUntilItAnswers()
  }

  /** So that scripts, and people in a shell of the node, can say `holdfast`. */
  async #putCommandInPath(): Promise<void> {
    const directory = await this.host.inside('/run/bin')
    await mkdir(directory, { recursive: true })
    const script = `#!/bin/sh\nexec "${process.execPath}" "${commandProgram}" "$@"\n`
    await writeFile(join(directory, 'holdfast'), script, { mode: 0o755 })
  }

  /** Also after a kill: the supervisor starts the daemon again after a second. */
  async waitUntilItAnswers(timeoutMs = 60_000): Promise<void> {
    await until(
      `holdfastd of ${this.host.name} answers (see ${this.host.logFile('holdfastd')})`,
      async () => ((await this.tryGet('/node')) === undefined ? undefined : true),
      { timeoutMs, everyMs: 30 },
    )
  }

  /** The daemon's process id inside the node. */
  async daemonPid(): Promise<number> {
    const text = await readFile(await this.host.inside('/run/holdfastd.pid'), 'utf8')
    return Number(text.trim())
  }

  /** Processes of the replication's data planes on this node, as this machine sees them. */
  dataPlanes(): Promise<readonly number[]> {
    return this.host.processes(/^\S*node .*plane\/main\.js/)
  }

  /** SIGKILL to the replication's process, or processes. */
  async killDataPlane(): Promise<void> {
    for (const pid of await this.dataPlanes()) signal(pid, 'SIGKILL')
  }

  /** SIGKILL to the daemon alone; the supervisor starts it again. Returns the id of the process that died. */
  async killDaemon(): Promise<number> {
    const pid = await this.daemonPid()
    await this.host.mustRun(['kill', '-KILL', String(pid)])
    return pid
  }

  /** Ends the daemon, as an upgrade does, and nothing else; `start` begins another one. */
  async stopDaemon(): Promise<void> {
    const pid = await this.daemonPid()
    for (const supervisor of await this.host.processes(/^sh \S*supervise\.sh /)) {
      signal(supervisor, 'SIGTERM')
    }
    await until(
      `holdfastd of ${this.host.name} ends`,
      async () =>
        (await this.host.run(['kill', '-0', String(pid)])).code === 0 ? undefined : true,
      { timeoutMs: 60_000 },
    )
  }

  /** Returns when this node sees `count` nodes, itself included, and has a stream to each other one. */
  async waitForCluster(count: number, timeoutMs = 60_000): Promise<void> {
    await until(
      `${this.host.name} is connected to all nodes`,
      async () => {
        // The API validates its answers against its own schema.
        const cluster = (await this.tryGet('/cluster')) as ClusterAnswer | undefined
        const ready = cluster?.nodes.filter((node) => node.connected || node.node === cluster.self)
        return ready?.length === count ? true : undefined
      },
      { timeoutMs, everyMs: 30 },
    )
  }

  /** Runs `holdfast` in the node. */
  run(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    const env = { NO_COLOR: '1', ...options.env }
    return this.host.run([process.execPath, commandProgram, ...args], { ...options, env })
  }

  /** Like `run`, but anything else than exit code 0 throws with what the command said. */
  async mustRun(args: readonly string[], options: CommandOptions = {}): Promise<string> {
    const result = await this.run(args, options)
    if (result.code !== 0) {
      const how = result.timedOut ? 'took too long' : `ended with ${result.code ?? 'a signal'}`
      const said = lastLines(`${result.stdout}${result.stderr}`)
      throw new LabError(`holdfast ${args.join(' ')} on ${this.host.name} ${how}: ${said}`)
    }
    return result.stdout
  }

  /** The answer of the API, or undefined when the node is off or its daemon does not answer. */
  async tryGet(path: string): Promise<unknown> {
    const socketPath = await this.host.insideWhenOn('/run/holdfast/api.sock')
    if (socketPath === undefined) return undefined
    const answer = await getOverSocket(socketPath, `/api/v1${path}`)
    return answer?.status === 200 ? answer.body : undefined
  }

  /** Undefined: no answer, or no such module. */
  async module(name: string): Promise<ModuleAnswer | undefined> {
    // The API validates its answers against its own schema.
    return (await this.tryGet(`/modules/${name}`)) as ModuleAnswer | undefined
  }

  /** Fields of the newest event of this name (and kind) in the module's log on this node. */
  async lastEvent(
    module: string,
    event: string,
    isMeant: (fields: Readonly<Record<string, unknown>>) => boolean = () => true,
  ): Promise<Readonly<Record<string, unknown>> | undefined> {
    const path = `/modules/${module}/log?limit=500&verbose=true`
    // The API validates its answers against its own schema.
    const answer = (await this.tryGet(path)) as LogAnswer | undefined
    const meant = answer?.entries.filter((entry) => entry.event === event && isMeant(entry.fields))
    return meant?.at(-1)?.fields
  }

  /** `PRIM Ready`, or `OFF`, or `?` when the daemon does not answer. */
  async state(module: string): Promise<string> {
    if (!(await this.host.isOn())) return 'OFF'
    const answer = await this.module(module)
    if (answer === undefined) return '?'
    if (answer.state === undefined) return answer.failure?.code ?? 'NOT CONFIGURED'
    return `${answer.state.role} ${answer.state.sub}`
  }

  /** Waits for one of the states, written as `state` does. */
  async waitForState(
    module: string,
    states: readonly string[],
    timeoutMs: number,
  ): Promise<string> {
    let last = '?'
    try {
      return await until(
        `${module} on ${this.host.name} is ${states.join(' or ')}`,
        async () => {
          last = await this.state(module)
          return states.includes(last) ? last : undefined
        },
        { timeoutMs, everyMs: 30 },
      )
    } catch (cause) {
      if (!(cause instanceof LabError)) throw cause
      const answer = await this.module(module)
      const why = answer?.state?.cause ?? answer?.failure?.reason ?? 'no answer'
      throw new LabError(`${cause.message}; it is ${last}: ${why}`, { cause })
    }
  }
}

/** Makes one cluster of all nodes of a lab, whose daemons answer: the first one invites, the others join. */
export async function formCluster(
  spec: LabSpec,
  products: readonly Product[],
  typed: (node: string, command: string) => void = () => undefined,
): Promise<void> {
  const [first, ...others] = products
  if (first === undefined) throw new LabError('a cluster has at least one node')
  const name = first.host.name
  const file = join(first.host.directory, 'cluster.xml')
  await writeFile(file, clusterXml(spec))
  typed(name, `holdfast cluster init --node ${name} cluster.xml`)
  await first.mustRun(['cluster', 'init', '--node', name, file])
  for (const other of others) {
    typed(name, `holdfast cluster invite ${other.host.name}`)
    const invitation = await first.mustRun(['cluster', 'invite', other.host.name])
    const token = /HF1-[A-Za-z0-9_-]+/.exec(invitation)?.[0]
    if (token === undefined) throw new LabError(`no token in the invitation: ${invitation}`)
    typed(other.host.name, 'holdfast cluster join')
    await other.mustRun(['cluster', 'join', '-'], { input: `${token}\n` })
  }
  for (const product of products) await product.waitForCluster(products.length)
}

/** `cluster.xml` of all nodes of a lab, on all its LANs. */
export function clusterXml(spec: LabSpec): string {
  const lans = spec.lans.map((lan, index) => {
    const nodes = spec.nodes.map((node) => {
      const address = cablesOf(spec, node)[index]?.ipv4 ?? ''
      return `      <node name="${node}" addr="${address}"/>`
    })
    return [`    <lan name="${lan}">`, ...nodes, '    </lan>'].join('\n')
  })
  return ['<cluster>', '  <lans>', ...lans, '  </lans>', '</cluster>', ''].join('\n')
}

function getOverSocket(
  socketPath: string,
  path: string,
): Promise<{ status: number; body: unknown } | undefined> {
  return new Promise((resolve) => {
    const call = request({ socketPath, path, timeout: 5_000, agent: false }, (response) => {
      const chunks: Buffer[] = []
      let bytes = 0
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > answerBytesMax) response.destroy()
        else chunks.push(chunk)
      })
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, body: parsed(Buffer.concat(chunks)) })
      })
      response.on('close', () => {
        resolve(undefined)
      })
    })
    // No socket yet, or the daemon was killed in the middle: both are "does not answer".
    call.on('error', () => {
      resolve(undefined)
    })
    call.on('timeout', () => call.destroy())
    call.end()
  })
}

/** A command that followed a long story says the conclusion last. */
function lastLines(text: string): string {
  return text.trim().split('\n').slice(-6).join('\n').slice(-1_000)
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
