/** For tests: data planes as real processes on one machine, driven over their control sockets. */
import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync, readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { endKeeper, keptFile } from '../driver/kept.js'
import type { PlaneLaunch } from '../driver/protocol.js'

type Line = Readonly<Record<string, unknown>>

const ORDER_MS = 30_000
const EVENT_MS = 30_000
const COMPARE = new URL('../verify/main.js', import.meta.url).pathname
const exec = promisify(execFile)
const ENTRY = new URL('./main.js', import.meta.url).pathname

/** One data plane with one or more replicated directories in a temporary directory. */
export class TestPlane {
  readonly events: Line[] = []
  /** Called with each event at once. */
  onEvent: (line: Line) => void = () => undefined
  readonly #waiting = new Map<number, (line: Line) => void>()
  readonly #watchers = new Set<() => void>()
  #child: ChildProcess | undefined
  #socket: Socket | undefined
  #id = 0

  private constructor(
    readonly base: string,
    readonly launch: PlaneLaunch,
  ) {}

  static prepare(name: string, options: Partial<PlaneLaunch> = {}, volumes = 1): TestPlane {
    const base = mkdtempSync(join(process.env['HOLDFAST_TEST_TMP'] ?? '/var/tmp', `hfrfs-${name}-`))
    const directories = Array.from({ length: volumes }, (_, index) => join(base, `data${index}`))
    for (const directory of directories) mkdirSync(directory)
    return new TestPlane(base, {
      format: 1,
      module: 'test',
      node: name,
      socket: join(base, 'rfs.sock'),
      journal: join(base, 'journal'),
      volumes: directories.map((directory, index) => ({ index, directory })),
      zoneBytes: 262_144,
      timeoutMs: 5000,
      async: 'none',
      encryption: true,
      awake: true,
      listen: { address: '127.0.0.1', port: 20_000 + Math.floor(Math.random() * 10_000) },
      copyBytesPerSecond: undefined,
      ...options,
    })
  }

  /** The same node with another configuration, before it is started. */
  with(options: Partial<PlaneLaunch>): TestPlane {
    return new TestPlane(this.base, { ...this.launch, ...options })
  }

  get directory(): string {
    return this.launch.volumes[0]?.directory ?? ''
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /** `entry`: the program of another installation. */
  async start(entry = ENTRY): Promise<this> {
    const file = join(this.base, 'launch.json')
    writeFileSync(file, JSON.stringify(this.launch))
    rmSync(this.launch.socket, { force: true })
    const child = spawn(process.execPath, [entry, file], {
      stdio: ['ignore', 'inherit', 'pipe'],
      env: { ...process.env, NODE_V8_COVERAGE: '' },
    })
    this.#child = child
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text
      process.stderr.write(text)
    })
    const until = Date.now() + ORDER_MS
    // The socket's file is there a moment before it is listened on.
    while (!(await this.#connect())) {
      if (child.exitCode !== null || Date.now() > until) throw new Error(`no data plane: ${said}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    return this
  }

  async #connect(): Promise<boolean> {
    const socket = connect(this.launch.socket)
    const connected = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => {
        resolve(true)
      })
      socket.on('error', () => {
        resolve(false)
      })
    })
    if (!connected) return false
    this.#socket = socket
    let text = ''
    socket.setEncoding('utf8').on('data', (more: string) => {
      text += more
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        this.#line(text.slice(0, end))
        text = text.slice(end + 1)
      }
    })
    return true
  }

  #line(text: string): void {
    // The data plane's own lines; a test that gets another one fails when it looks into it.
    const line = JSON.parse(text) as Line
    const id = line['id']
    if (typeof id === 'number') this.#waiting.get(id)?.(line)
    else {
      this.events.push(line)
      this.onEvent(line)
    }
    for (const watcher of this.#watchers) watcher()
  }

  /** Sends an order; resolves with its answer, also when it is a refusal. */
  ask(order: string, fields: Line = {}): Promise<Line> {
    const id = ++this.#id
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`no answer to ${order}`))
      }, ORDER_MS)
      this.#waiting.set(id, (line) => {
        clearTimeout(timer)
        this.#waiting.delete(id)
        resolve(line)
      })
      this.#socket?.write(JSON.stringify({ id, order, ...fields }) + '\n')
    })
  }

  /** Sends an order that must succeed. */
  async must(order: string, fields: Line = {}): Promise<Line> {
    const answer = await this.ask(order, fields)
    if (answer['ok'] !== true) throw new Error(`${order}: ${JSON.stringify(answer)}`)
    return answer
  }

  /** Resolves with the first event of this kind from `from` on (an index into `events`). */
  event(kind: string, from = 0): Promise<Line> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = this.events.slice(from).find((line) => line['event'] === kind)
        if (found === undefined) return
        clearTimeout(timer)
        this.#watchers.delete(look)
        resolve(found)
      }
      const timer = setTimeout(() => {
        this.#watchers.delete(look)
        reject(new Error(`no event ${kind}; there were ${JSON.stringify(this.events)}`))
      }, EVENT_MS)
      this.#watchers.add(look)
      look()
    })
  }

  /** Ends the process at once, and lets another one go on in its place. */
  async replace(entry = ENTRY): Promise<void> {
    await this.#killProcess()
    this.#socket?.destroy()
    await this.start(entry)
    await this.must('resume')
  }

  /** Ends it and whatever it left at once, as a crash of the machine does; resolves when all is gone. */
  async kill(): Promise<void> {
    await this.#killProcess()
    const wait = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1))
    await endKeeper(keptFile(this.launch.socket), wait)
  }

  async #killProcess(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await gone
  }

  pause(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  unmount(): void {
    for (const { directory } of this.launch.volumes) {
      // One may lie over another: what a data plane left that was killed.
      for (let left = 8; left > 0 && isMounted(directory); left--) {
        spawnSync('umount', ['-l', directory])
      }
    }
  }

  /** In any case at the end of a test: no process, no mount and no file stays. */
  async remove(): Promise<void> {
    this.#socket?.destroy()
    await this.kill()
    this.unmount()
    rmSync(this.base, { recursive: true, force: true })
  }
}

export function isMounted(directory: string): boolean {
  const shown = directory.replaceAll(' ', '\\040')
  return readFileSync('/proc/self/mounts', 'utf8').includes(` ${shown} `)
}

/** Lets `follower` join `server`; resolves when both say that the copy is finished, or how else it `ends`. */
export async function join2(
  server: TestPlane,
  follower: TestPlane,
  epoch = 1,
  full = false,
  ends: 'copyFinished' | 'linkLost' = 'copyFinished',
): Promise<void> {
  const session = randomBytes(16).toString('hex')
  const key = randomBytes(32).toString('hex')
  const from = [server.events.length, follower.events.length] as const
  await server.must('admit', { epoch, full, session, key })
  const { address, port } = server.launch.listen
  await follower.must('follow', { epoch, full, address, port, session, key })
  await Promise.all([server.event(ends, from[0]), follower.event(ends, from[1])])
}

/** Runs a shell command; resolves with what it printed. */
export async function shell(command: string): Promise<string> {
  const { stdout } = await exec('bash', ['-c', command], { timeout: 30_000 })
  return stdout
}

/** Differences between two trees; empty when they are the same. */
export async function differences(a: string, b: string, ...options: string[]): Promise<string> {
  try {
    await exec(process.execPath, [COMPARE, a, b, ...options])
    return ''
  } catch (error) {
    return error instanceof Error && 'stdout' in error ? String(error.stdout) : String(error)
  }
}

/** A server that serves alone and an idle follower, gone afterwards in any case. */
export async function pair(
  run: (server: TestPlane, follower: TestPlane) => Promise<void>,
  options: Parameters<typeof TestPlane.prepare>[1] = {},
): Promise<void> {
  const server = TestPlane.prepare('server', options)
  const follower = TestPlane.prepare('follower', options)
  try {
    await server.start()
    await follower.start()
    await server.must('serve', { generation: 'g1', alone: true })
    await run(server, follower)
  } finally {
    await server.remove()
    await follower.remove()
  }
}

type Rules = NonNullable<PlaneLaunch['volumes'][number]['notReplicated']>

/** The same of two nodes with these rules of what is left out, on directories with a blank in their names. */
export async function pairWith(
  notReplicated: Rules,
  run: (server: TestPlane, follower: TestPlane) => Promise<void>,
): Promise<void> {
  const nodes = ['server', 'follower'].map((name) => {
    const plane = TestPlane.prepare(name)
    const directory = join(plane.base, 'my data')
    mkdirSync(directory)
    return plane.with({ volumes: [{ index: 0, directory, notReplicated }] })
  })
  const [server, follower] = nodes
  if (server === undefined || follower === undefined) throw new Error('there are two')
  try {
    await server.start()
    await follower.start()
    await server.must('serve', { generation: 'g1', alone: true })
    await run(server, follower)
  } finally {
    for (const node of nodes) await node.remove()
  }
}
