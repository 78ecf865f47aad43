/**
 * For the crash loop: two data planes, the wire between them and a program that writes. It decides as the topology does: the
 * follower takes over only when it has everything, and whoever goes on alone makes the other one stale.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { Ledger, type Operation, type Outcome } from './crash-ledger.fixture.js'
import { TestPlane, differences } from './plane.fixture.js'
import { Wire } from './wire.fixture.js'

const WRITER = new URL('./crash-writer.fixture.js', import.meta.url).pathname
const TIMEOUT_MS = 3000
const JOINS_MAX = 8
const WAIT_MS = 60_000

export const FAULTS = [
  'the data plane of the server',
  'the data plane of the follower',
  'the node of the server',
  'both nodes',
  'the wire, closed',
  'the wire, silent',
  'the wire, and the follower takes over',
] as const
export type Fault = (typeof FAULTS)[number]

/** `node.events` from this one on are those of the session. */
interface Session {
  readonly from: number
}

export class CrashPair {
  readonly #ledger = new Ledger()
  #server: TestPlane
  #follower: TestPlane
  #wire: Wire | undefined
  #writer: ChildProcess | undefined
  #writerEnded: Promise<unknown> = Promise.resolve()
  /** The program was told that the node ended, or gave up its role. */
  #mayEnd = false
  #wrong: string | undefined
  #operations = 0
  #epoch = 1
  /** Undefined: the follower is stale. */
  #session: Session | undefined
  #deciding = false
  /** Sessions that ended although nobody broke anything: the machine was too busy for the time-out. */
  lostByItself = 0

  constructor(readonly random: (below: number) => number) {
    const node = (name: string): TestPlane => {
      const plane = TestPlane.prepare(name, { timeoutMs: TIMEOUT_MS })
      plane.onEvent = ({ event }) => {
        if (event === 'linkLost') this.#linkLost(plane)
      }
      return plane
    }
    this.#server = node('one')
    this.#follower = node('two')
  }

  get acknowledged(): number {
    return this.#ledger.acknowledged
  }

  async begin(): Promise<void> {
    await this.#server.start()
    await this.#follower.start()
    await this.#serve()
    await this.#join()
    this.#write()
  }

  async remove(): Promise<void> {
    this.#deciding = true
    this.#wire?.cut('closed')
    this.#writer?.kill('SIGKILL')
    await this.#server.remove()
    await this.#follower.remove()
  }

  /** Breaks this, and does about it what the topology does. The program goes on, and a copy is under way. */
  async break(fault: Fault): Promise<void> {
    this.#deciding = true
    await this.#break(fault)
    await this.#follow()
    this.#deciding = false
    if (this.#writer === undefined) this.#write()
  }

  /** Resolves when the program was told of so many more changes that they are made; not while they wait for a follower. */
  async written(changes: number): Promise<void> {
    const wanted = this.#ledger.acknowledged + changes
    await until('the program goes on', () => this.#ledger.acknowledged >= wanted, 2)
  }

  /** Lets the program end, and both nodes become equal. Returns what is wrong then. It writes again afterwards. */
  async check(): Promise<string | undefined> {
    await this.#join()
    await this.written(this.random(20))
    this.#writer?.stdin?.end()
    await bounded(this.#writerEnded, 'the program ends')
    await this.#drain()
    const differs = await differences(this.#server.directory, this.#follower.directory)
    const wrong = this.#wrong ?? this.#ledger.check(this.#follower.directory)
    this.#write()
    return differs === '' ? wrong : `the trees differ: ${differs}`
  }

  async #break(fault: Fault): Promise<void> {
    const [server, follower] = [this.#server, this.#follower]
    switch (fault) {
      case 'the data plane of the server':
        await server.replace()
        return this.#goOn()
      case 'the data plane of the follower':
        // As the plugin does it: with what it left beneath, it would not get to its own directory.
        await this.#end(follower)
        await follower.start()
        return this.#goOn()
      case 'the node of the server':
        await this.#end(server)
        await server.start()
        return this.#isWhole() ? this.#takeOver() : this.#serve()
      case 'both nodes': {
        const order = this.random(2) === 0 ? [server, follower] : [follower, server]
        await Promise.all(order.map((node) => this.#end(node)))
        for (const node of order) await node.start()
        return this.#isWhole() && this.random(2) === 0 ? this.#takeOver() : this.#serve()
      }
      case 'the wire, closed':
      case 'the wire, silent':
        await this.#cut(fault === 'the wire, silent' ? 'silent' : 'closed')
        return this.#goOn()
      case 'the wire, and the follower takes over':
        await this.#cut(this.random(2) === 0 ? 'silent' : 'closed')
        return this.#isWhole() ? this.#handOver() : this.#goOn()
    }
  }

  /** What was acknowledged so far is there; what was under way is now known. */
  #write(): void {
    const found = this.#ledger.check(this.#server.directory)
    this.#wrong ??= found
    this.#mayEnd = false
    const args = [WRITER, this.#server.directory, this.random(2 ** 31), this.#operations]
    const writer = spawn(process.execPath, args.map(String), {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, NODE_V8_COVERAGE: '' },
    })
    this.#writer = writer
    let text = ''
    writer.stdout.setEncoding('utf8').on('data', (more: string) => {
      const lines = (text + more).split('\n')
      text = lines.pop() ?? ''
      for (const line of lines) this.#read(line)
    })
    this.#writerEnded = once(writer, 'close').then(() => (this.#writer = undefined))
  }

  #read(text: string): void {
    // The writer's own lines.
    const line = JSON.parse(text) as { operation?: Operation; outcome?: Outcome; ended?: string }
    if (line.operation !== undefined) {
      this.#operations++
      this.#ledger.begin(line.operation)
    } else if (line.outcome !== undefined) {
      const wrong = this.#ledger.end(line.outcome)
      this.#wrong ??= wrong
    } else if (!this.#mayEnd) {
      this.#wrong ??= `the program heard ${line.ended}, and its node lives`
    }
  }

  /** Whether the follower has everything that was acknowledged. */
  #isWhole(): boolean {
    return this.#session !== undefined && this.#heard('copyFinished', this.#session)
  }

  #heard(kind: string, { from }: Session): boolean {
    return this.#follower.events.slice(from).some(({ event }) => event === kind)
  }

  #linkLost(node: TestPlane): void {
    if (this.#deciding || node !== this.#server) return
    this.lostByItself++
    this.#session = undefined
    void this.#detach()
  }

  async #detach(): Promise<void> {
    this.#session = undefined
    await this.#server.must('detach', this.#next())
  }

  #next(): { epoch: number; generation: string } {
    this.#epoch++
    return { epoch: this.#epoch, generation: `g${this.#epoch}` }
  }

  async #serve(): Promise<void> {
    this.#session = undefined
    await this.#server.must('serve', { ...this.#next(), alone: true })
  }

  /** The server goes on: alone, or its changes wait for the follower. */
  async #goOn(): Promise<void> {
    this.#session = undefined
    if (this.random(2) === 0) await this.#detach()
  }

  async #takeOver(): Promise<void> {
    await this.#follower.must('unfollow')
    ;[this.#server, this.#follower] = [this.#follower, this.#server]
    await this.#serve()
  }

  /** The server lives and heard that the other one takes over. */
  async #handOver(): Promise<void> {
    this.#mayEnd = true
    await this.#server.must('refuse')
    await bounded(this.#writerEnded, 'the program ends')
    await this.#server.must('unserve', { force: true })
    await this.#takeOver()
  }

  async #end(node: TestPlane): Promise<void> {
    if (node === this.#server) this.#mayEnd = true
    await node.kill()
    if (node === this.#server) await bounded(this.#writerEnded, 'the program ends')
    node.unmount()
  }

  async #cut(how: 'closed' | 'silent'): Promise<void> {
    this.#wire?.cut(how)
    await until('the link that was cut is lost', async () => !(await this.#isLive()), 20)
  }

  async #isLive(): Promise<boolean> {
    return (await this.#server.must('status'))['link'] === 'live'
  }

  async #follow(): Promise<void> {
    this.#session = undefined
    this.#wire?.cut('closed')
    const { address, port } = this.#server.launch.listen
    this.#wire = await Wire.open(port)
    const session = randomBytes(16).toString('hex')
    const key = randomBytes(32).toString('hex')
    const order = { epoch: this.#next().epoch, full: false, session, key }
    await this.#server.must('admit', order)
    const from = this.#follower.events.length
    await this.#follower.must('follow', { ...order, address, port: this.#wire.port })
    this.#session = { from }
  }

  /** Resolves when the pair is whole. */
  async #join(): Promise<void> {
    for (let tries = 0; tries < JOINS_MAX; tries++) {
      if (this.#session === undefined) await this.#follow()
      if (await this.#isJoined()) return
      this.#session = undefined
    }
    throw new Error(`${JOINS_MAX} copies did not come to their end`)
  }

  /** False: the session was lost. */
  async #isJoined(): Promise<boolean> {
    const isLost = (): boolean =>
      this.#session === undefined || this.#heard('linkLost', this.#session)
    const isOver = async (): Promise<boolean> =>
      isLost() || (this.#isWhole() && (await this.#isLive()))
    await until('a copy comes to its end', isOver, 10)
    return !isLost()
  }

  /** A session may be lost at any moment on a busy machine. */
  async #drain(): Promise<void> {
    for (let tries = 0; tries < JOINS_MAX; tries++) {
      await this.#join()
      if ((await this.#server.ask('drain'))['ok'] === true) return
    }
    throw new Error('nothing can be drained')
  }
}

async function bounded(work: Promise<unknown>, what: string): Promise<void> {
  const late = delay(WAIT_MS, 'late', { ref: false })
  if ((await Promise.race([work, late])) === 'late') throw new Error(`not in time: ${what}`)
}

async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  everyMs: number,
): Promise<void> {
  const endMs = Date.now() + WAIT_MS
  while (!(await holds())) {
    if (Date.now() > endMs) throw new Error(`not in time: ${what}`)
    await delay(everyMs)
  }
}
