/** One life of a simulated daemon: the product's coordinator, participant, settlement and plugin set, on simulated disk and network. */
import {
  type Coordinator,
  type ModuleOrder,
  type OrderExecutor,
  type Participant,
  type PluginSet,
  type Prepared,
  type Question,
  Settlement,
} from '@holdfast/core/decisions'
import type { Clock } from '@holdfast/sdk'
import type { NodeName, SimNode } from '../node.js'
import { nodeNames } from '../node.js'
import type { SimDisk } from './disk.js'
import { KernelWatch } from './kernel-watch.js'
import { type Configuration, definitionOf, type PluginWorld, planOf } from './plugins.js'

export interface DaemonHooks {
  readonly Participant: typeof Participant
  readonly Coordinator: typeof Coordinator
  readonly PluginSet: typeof PluginSet
  /** A known-bad variant: questions are answered from the first moment on. */
  readonly answersEarly: boolean
  configuration(digest: string): Configuration
  call(from: NodeName, to: NodeName, question: Question, timeoutMs: number): Promise<unknown>
  applied(node: NodeName, digest: string): void
  discarded(node: NodeName, digest: string): void
  reached(transition: string): void
  note(node: NodeName, what: string): void
  violated(what: string): void
}

const settleMs = 5_000

export class Daemon {
  readonly participant: Participant
  readonly coordinator: Coordinator
  readonly #settlement: Settlement
  readonly #set: PluginSet
  readonly #watch: KernelWatch
  isListening = false
  /** The last instance that was started by a change of the set that is over. */
  #started = 0
  /** Of the set, asked for so far. */
  #changes = 0

  constructor(
    readonly node: SimNode,
    readonly disk: SimDisk,
    readonly hooks: DaemonHooks,
  ) {
    const { name: self } = node
    const peers = {
      self,
      call: (to: string, question: unknown, timeoutMs: number) =>
        // What the coordinator asks is a question, and the only other node is a NodeName.
        hooks.call(self, to as NodeName, question as Question, timeoutMs),
    }
    const pending = disk.records(disk.pending)
    const decisions = disk.records(disk.decisions)
    const clock = this.#clock()
    this.participant = new hooks.Participant(pending, this.#executor())
    this.coordinator = new hooks.Coordinator(decisions, clock, peers, this.participant)
    this.#settlement = new Settlement({
      ...{ participant: this.participant, coordinator: this.coordinator, peers },
      nodes: () => nodeNames,
      onUndecided: () => hooks.reached('settle: the coordinator does not answer'),
    })
    this.#watch = new KernelWatch((what) => hooks.violated(`${self}: ${what}`))
    this.#set = new hooks.PluginSet({
      clock,
      load: ({ manifest }) => this.#load(manifest.id),
      services: () => new Map(),
      onStatus: ({ state, failure }) => {
        hooks.reached(`plugin ${state}${failure === undefined ? '' : ` ${failure.code}`}`)
      },
    })
  }

  /** As the product opens its modules: questions are answered as soon as it knows what it has promised. */
  async open(): Promise<void> {
    this.isListening = this.hooks.answersEarly
    await this.participant.open()
    this.isListening = true
    await this.#settlement.settle()
    await this.refresh()
    this.#settleAgain()
  }

  async answer(from: NodeName, question: Question): Promise<unknown> {
    switch (question.kind) {
      case 'prepare': {
        const { transaction, order } = question
        return await this.participant.prepare({ transaction, coordinator: from, order }, undefined)
      }
      case 'commit':
        await this.participant.decide(question.transaction, 'committed')
        return {}
      case 'abort':
        await this.participant.decide(question.transaction, 'aborted')
        return {}
      case 'outcome': {
        const outcome = await this.coordinator.outcome(question.transaction)
        this.hooks.reached(`outcome: ${outcome}`)
        return { outcome }
      }
      default:
        throw new Error(`${question.kind} is not asked here`)
    }
  }

  /** Makes the plugins what the disk says; also an operator's new attempt after a failure. */
  async refresh(): Promise<void> {
    const digest = await this.disk.read(() => this.disk.applied)
    if (digest === undefined) {
      if (await this.#stop()) this.#watch.closed()
      return
    }
    const configuration = this.hooks.configuration(digest)
    this.#changes += 1
    const changes = this.#changes
    const verdict = await this.#set.apply(planOf(configuration))
    this.hooks.note(this.node.name, `plugins: ${verdict.ok ? 'active' : verdict.reason}`)
    this.hooks.reached(`set: ${verdict.ok ? 'active' : 'failed'}`)
    const before = this.#started
    this.#started = this.#watch.mark()
    // Changed again meanwhile: whoever did that looks.
    if (this.#changes === changes) this.#watch.applied(configuration.plugins, verdict, before)
  }

  /** False: it is being changed again. */
  async #stop(): Promise<boolean> {
    this.#changes += 1
    const changes = this.#changes
    await this.#set.stop()
    return this.#changes === changes
  }

  async #load(
    id: string,
  ): Promise<{ definition: ReturnType<typeof definitionOf>; check: undefined }> {
    const { random } = this.node.sim
    const world: PluginWorld = {
      started: (one, config, needs) => {
        this.hooks.note(this.node.name, `plugin ${one} starts`)
        return this.#watch.started(one, config, needs)
      },
      stopping: (instance) => this.#watch.stopping(instance),
      stopped: (instance) => this.#watch.stopped(instance),
      later: (run) => this.node.later('daemon', random.integer(1, 300), run),
    }
    await this.disk.read(() => undefined)
    return { definition: definitionOf(id, world), check: undefined }
  }

  #executor(): OrderExecutor {
    const { disk, hooks, node } = this
    return {
      verify: async (order: ModuleOrder): Promise<Prepared> => {
        await disk.read(() => undefined)
        const isRefused =
          order.kind === 'config' && hooks.configuration(order.digest).refusedOn === node.name
        hooks.reached(`verify: ${isRefused ? 'refused' : 'accepted'}`)
        return { findings: isRefused ? ['line 1: as the history wants it'] : [], warnings: [] }
      },
      stage: async ({ kind, digest }) => {
        if (kind === 'config') await disk.write(() => void (disk.staged = digest))
      },
      apply: async ({ kind, digest }) => {
        hooks.reached(`apply: ${kind}`)
        hooks.applied(node.name, digest)
        if (kind === 'config') {
          await disk.write(() => {
            // As the product does: after the rename there is nothing staged.
            if (disk.staged !== undefined) disk.applied = disk.staged
            disk.staged = undefined
          }, false)
        } else {
          await this.#stop()
          await disk.write(() => void (disk.applied = undefined), false)
        }
        await this.refresh()
      },
      discard: async ({ digest }) => {
        hooks.reached('discard')
        hooks.discarded(node.name, digest)
        await disk.write(() => void (disk.staged = undefined), false)
      },
    }
  }

  #clock(): Clock {
    const { node } = this
    return {
      monotonicMs: () => node.sim.agenda.now,
      wallMs: () => node.wallMs,
      after: (delayMs, call) => {
        let isOn = true
        node.later('daemon', delayMs, () => {
          if (isOn) call()
        })
        return () => {
          isOn = false
        }
      },
      every: () => () => undefined,
      cron: () => () => undefined,
    }
  }

  #settleAgain(): void {
    this.node.later('daemon', settleMs, () => {
      this.#settleAgain()
      void this.#settlement.settle()
    })
  }
}
