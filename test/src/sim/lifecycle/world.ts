/** Two simulated daemons that put configurations of a module into force on both of them, or on none. */
import {
  Coordinator,
  type ModuleOrder,
  Participant,
  PluginSet,
  type Question,
} from '@holdfast/core/decisions'
import { HoldfastError } from '@holdfast/sdk'
import { Agenda } from '../agenda.js'
import { type NodeName, nodeNames, SimNode } from '../node.js'
import { Random } from '../random.js'
import type { Coverage } from '../reached.js'
import { Trace } from '../simulation.js'
import { Daemon, type DaemonHooks } from './daemon.js'
import { SimDisk } from './disk.js'
import { type Configuration, nextConfiguration } from './plugins.js'

export interface Mutation {
  readonly Participant?: typeof Participant
  readonly Coordinator?: typeof Coordinator
  readonly PluginSet?: typeof PluginSet
  readonly answersEarly?: boolean
}

export interface WorldOptions {
  readonly seed: number
  readonly mutation?: Mutation | undefined
  readonly coverage?: Coverage | undefined
  readonly traced?: boolean
}

interface Host {
  readonly node: SimNode
  readonly disk: SimDisk
  daemon: Daemon | undefined
}

/** What became of an order, wherever it was carried out. */
interface OrderTruth {
  readonly applied: Set<NodeName>
  readonly discarded: Set<NodeName>
  answer: 'accepted' | 'rejected' | undefined
}

export class World {
  readonly agenda = new Agenda()
  readonly random: Random
  readonly trace: Trace | undefined
  violation: string | undefined
  accepted = 0
  readonly up: Record<NodeName, boolean> = { a: true, b: true }
  readonly #hosts: Record<NodeName, Host>
  readonly #orders = new Map<string, OrderTruth>()
  readonly #configurations = new Map<string, Configuration>()
  #lastConfiguration: Configuration | undefined
  #numbers = 0

  constructor(readonly options: WorldOptions) {
    this.random = new Random(options.seed)
    this.trace = options.traced === true ? new Trace() : undefined
    this.#hosts = { a: this.#host('a'), b: this.#host('b') }
    for (const name of nodeNames) this.start(name)
  }

  /** Lets time pass; what the product awaits goes on between any two events. */
  async run(forMs: number): Promise<void> {
    const untilMs = this.agenda.now + forMs
    let ran = -1
    const isPause = (): boolean => this.violation !== undefined || this.agenda.ran !== ran
    while (this.violation === undefined) {
      ran = this.agenda.ran
      this.agenda.run(untilMs, isPause)
      if (this.agenda.ran === ran) return
      await settled()
    }
  }

  note(name: string, what: string): void {
    this.trace?.note(this.agenda.now, name, what)
  }

  disk(name: NodeName): SimDisk {
    return this.#hosts[name].disk
  }

  daemon(name: NodeName): Daemon | undefined {
    return this.#hosts[name].daemon
  }

  start(name: NodeName): void {
    const host = this.#hosts[name]
    if (host.daemon !== undefined) return
    this.note(name, 'daemon starts')
    host.node.daemonRuns = true
    host.daemon = new Daemon(host.node, host.disk, this.#hooks())
    void host.daemon.open()
  }

  kill(name: NodeName): void {
    const host = this.#hosts[name]
    if (host.daemon === undefined) return
    this.note(name, 'daemon dies')
    host.node.ends('daemon')
    host.node.daemonRuns = false
    host.node.thaw()
    host.disk.cutOff()
    host.daemon = undefined
  }

  freeze(name: NodeName): void {
    const { node, daemon } = this.#hosts[name]
    if (daemon !== undefined) node.frozen = 'daemon'
  }

  thaw(name: NodeName): void {
    this.#hosts[name].node.thaw()
  }

  /** An operator's order at one node. */
  order(name: NodeName, kind: 'config' | 'deconfig'): void {
    const { daemon } = this.#hosts[name]
    if (daemon === undefined) return
    this.#numbers += 1
    const digest = `${this.#numbers}`
    const configuration = nextConfiguration(digest, this.#lastConfiguration, this.random)
    this.#lastConfiguration = configuration
    this.#configurations.set(digest, configuration)
    const order: ModuleOrder = { kind, name: 'app', id: 1, nodes: nodeNames, digest, file: 'x.xml' }
    this.#orders.set(digest, { applied: new Set(), discarded: new Set(), answer: undefined })
    this.note(name, `order ${digest}: ${kind}`)
    daemon.coordinator.carryOut(order, undefined).then(
      () => this.#answered(name, digest, 'accepted'),
      (error: unknown) => {
        if (!(error instanceof Error)) throw error
        this.note(name, `order ${digest} fails: ${error.message}`)
        // Only our own errors say that nothing was changed.
        if (error instanceof HoldfastError) this.#answered(name, digest, 'rejected')
      },
    )
  }

  retry(name: NodeName): void {
    void this.#hosts[name].daemon?.refresh()
  }

  /** After everything was repaired: what is not as it must be. */
  unsettled(): string | undefined {
    const { a, b } = { a: this.disk('a'), b: this.disk('b') }
    for (const name of nodeNames) {
      // What is staged and not promised may stay: the next order replaces it before it promises anything.
      const { pending } = this.disk(name)
      if (pending.size > 0) return `${name} waits for a decision still`
    }
    if (a.applied !== b.applied) {
      return `order ${a.applied ?? 'none'} is in force on a, and ${b.applied ?? 'none'} on b`
    }
    return undefined
  }

  #answered(name: NodeName, digest: string, answer: 'accepted' | 'rejected'): void {
    this.note(name, `order ${digest} is ${answer}`)
    this.options.coverage?.reached(`order ${answer}`)
    const truth = this.#orders.get(digest)
    if (truth === undefined) return
    truth.answer = answer
    if (answer === 'accepted') this.accepted += 1
    this.#check(digest, truth)
  }

  #check(digest: string, { applied, discarded, answer }: OrderTruth): void {
    if (applied.size > 0 && discarded.size > 0) {
      this.#violated(`order ${digest} is carried out on one node and dropped on the other`)
    }
    if (answer === 'rejected' && applied.size > 0) {
      this.#violated(`order ${digest} was rejected, and is carried out`)
    }
    if (answer === 'accepted' && discarded.size > 0) {
      this.#violated(`order ${digest} was accepted, and is dropped`)
    }
  }

  #violated(what: string): void {
    this.violation ??= what
  }

  async #call(
    from: NodeName,
    to: NodeName,
    question: Question,
    timeoutMs: number,
  ): Promise<unknown> {
    const sender = this.#hosts[from].node
    const life = sender.lives.daemon
    return await new Promise((resolve, reject) => {
      const fail = (message: string): void => reject(new HoldfastError('E_PEER', message))
      /** For the daemon that asked, not for its successor. */
      const back = (then: () => void): void => {
        if (sender.lives.daemon === life) sender.later('daemon', 0, then)
      }
      sender.later('daemon', timeoutMs, () => fail(`${to} does not answer in time`))
      this.#carry(from, () => {
        const { daemon, node } = this.#hosts[to]
        if (daemon?.isListening !== true) {
          // The connection is refused, which is heard at once.
          this.#carry(to, () => back(() => fail(`${to} can't be reached`)))
          return
        }
        node.later('daemon', 0, () => {
          daemon.answer(from, question).then(
            (answer) => this.#carry(to, () => back(() => resolve(answer))),
            (error: unknown) => {
              if (!(error instanceof Error)) throw error
              this.#carry(to, () => back(() => fail(error.message)))
            },
          )
        })
      })
    })
  }

  /** What does not get through now is lost: the caller's time-out says so. */
  #carry(from: NodeName, then: () => void): void {
    this.agenda.after(this.random.integer(1, 60), () => {
      if (this.up[from]) then()
    })
  }

  #hooks(): DaemonHooks {
    const { mutation, coverage } = this.options
    const truthOf = (digest: string): OrderTruth | undefined => this.#orders.get(digest)
    return {
      Participant: mutation?.Participant ?? Participant,
      Coordinator: mutation?.Coordinator ?? Coordinator,
      PluginSet: mutation?.PluginSet ?? PluginSet,
      answersEarly: mutation?.answersEarly === true,
      configuration: (digest) => {
        const configuration = this.#configurations.get(digest)
        if (configuration === undefined) throw new Error(`nobody ordered ${digest}`)
        return configuration
      },
      call: (from, to, question, timeoutMs) => this.#call(from, to, question, timeoutMs),
      applied: (node, digest) => {
        this.note(node, `carries out order ${digest}`)
        const truth = truthOf(digest)
        truth?.applied.add(node)
        if (truth !== undefined) this.#check(digest, truth)
      },
      discarded: (node, digest) => {
        const truth = truthOf(digest)
        truth?.discarded.add(node)
        if (truth !== undefined) this.#check(digest, truth)
      },
      reached: (transition) => coverage?.reached(transition),
      note: (node, what) => this.note(node, what),
      violated: (what) => this.#violated(what),
    }
  }

  #host(name: NodeName): Host {
    const node = new SimNode(name, this)
    node.powered = true
    return { node, disk: new SimDisk(node), daemon: undefined }
  }
}

/** Everything that was awaited and is there has gone on: a turn of the event loop comes after all of it. */
async function settled(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve))
}
