/** Turns the world into the machine's events and its actions into the world. */
import {
  assertNever,
  type Claim,
  type Clock,
  type CommandOptions,
  done,
  Front,
  HoldfastError,
  type Log,
  type ModuleContext,
  type ModuleState,
  type OperatorCommand,
  type Peers,
  type Progress,
  refused,
  type Replica,
  type Resource,
  type Role,
  type RunningMachine,
  runMachine,
  type Store,
  type Topology,
  type TransitionAction,
  Transitions,
  type Verdict,
  type Witness,
  endProcess,
} from '@holdfast/sdk'
import { initialState, nothingKnown, step } from '../decide/decide.js'
import { formatGeneration } from '../decide/lineage.js'
import { plainRole } from '../decide/plan.js'
import { overdue } from '../decide/right.js'
import type { Action, Event, Memory, MirrorConfig, State } from '../decide/types.js'
import { askWitnesses } from './claim.js'
import { answered, DataOrders } from './data-orders.js'
import { watchPeer } from './liveness.js'
import { parseMessage } from './message.js'
import { present } from './present.js'

export interface MirrorWorld {
  readonly clock: Clock
  readonly log: Log
  readonly store: Store
  readonly peers: Peers
  readonly module: ModuleContext
  readonly resources: readonly Resource[]
  readonly witnesses: readonly Witness[]
  readonly replica: Replica | undefined
  readonly lans: readonly string[]
  readonly random: () => number
}

type Cancel = () => void

/** How often the time is told that `syncdelta` needs. */
const tickMs = 10_000

export class MirrorDriver implements Topology {
  readonly #world: MirrorWorld
  readonly #config: MirrorConfig
  readonly #transitions: Transitions
  readonly #data: DataOrders
  readonly #front: Front
  readonly #cancels: Cancel[] = []
  #machine: RunningMachine<State, Event> | undefined
  #progress: Progress | undefined
  /** What a daemon before this one left is not taken over yet: whether its link still holds is not known. */
  #isAdopting = false
  readonly #timers = new Map<string, Cancel>()

  constructor(world: MirrorWorld, config: MirrorConfig) {
    this.#world = world
    this.#config = config
    this.#transitions = new Transitions(world.resources, world.log, world.clock)
    this.#data = new DataOrders({
      replica: world.replica,
      log: world.log,
      wallMs: () => world.clock.wallMs(),
      post: (event) => this.#post(event),
    })
    const first = present(initialState(config, 0), world.clock.wallMs(), undefined)
    this.#front = new Front(world.log, first)
  }

  async begin(mode: 'rest' | 'adopt' | 'start'): Promise<Verdict> {
    const { store } = this.#world
    const memory = await store.read<Memory>('memory')
    const running = mode === 'adopt' ? await store.volatile.read<State>('place') : undefined
    const fresh = initialState(this.#config, this.#freshEpoch())
    const initial: State = {
      ...(running ?? fresh),
      config: this.#config,
      // What the place was built on may not have reached the disk; resuming writes it first.
      memory: running?.memory ?? memory ?? fresh.memory,
      peer: nothingKnown,
    }
    const machine = runMachine<State, Event, Action>(
      { initial, step },
      {
        perform: async (action) => {
          await this.#perform(action)
        },
        onStep: async (state, event) => {
          await this.#onStep(state, event)
        },
        onFailed: endProcess,
      },
    )
    this.#machine = machine
    this.#isAdopting = running !== undefined
    this.#show(initial)
    if (running !== undefined) await this.#adopt(initial)
    this.#listen()
    if (running !== undefined) this.#post({ kind: 'adopted' })
    return mode === 'start' ? await this.command('start', { cause: 'start at boot' }) : done
  }

  async command(command: OperatorCommand, options: CommandOptions): Promise<Verdict> {
    return await this.#front.ask((ticket) => {
      this.#post({
        kind: 'commanded',
        command,
        full: options.fullsync ?? false,
        identity: options.identity,
        routine: options.routine ?? false,
        cause: options.cause ?? `${command} by ${options.identity ?? 'the operator'}`,
        wallMs: this.#world.clock.wallMs(),
        ticket,
      })
    })
  }

  async alive(): Promise<void> {
    await this.#machine?.settled()
    const state = this.#machine?.state()
    const why = state === undefined ? undefined : overdue(state)
    if (why !== undefined) throw new HoldfastError('E_MIRROR_OVERDUE', why)
  }

  state(): ModuleState {
    return this.#front.state()
  }

  watch(on: (state: ModuleState) => void): Cancel {
    return this.#front.watch(on)
  }

  /** The daemon ends or the module is reconfigured: what runs goes on, only the deciding ends. */
  async stop(): Promise<void> {
    for (const cancel of this.#cancels.splice(0)) cancel()
    for (const [, cancel] of this.#timers) cancel()
    await this.#machine?.stop()
    this.#front.close(refused('E_MIRROR_ENDING', 'the daemon is ending'))
  }

  #post(event: Event): void {
    this.#machine?.post(event)
  }

  /** Numbers of questions must differ from those of an earlier life: a late answer would look like one to a new question. */
  #freshEpoch(): number {
    return Math.floor(this.#world.random() * 2 ** 30) * 2 ** 16
  }

  #listen(): void {
    const { peers, clock, replica, log, lans } = this.#world
    const { peer, timeoutMs } = this.#config
    const post = (event: Event): void => this.#post(event)
    this.#cancels.push(
      peers.onMessage((node, body) => {
        if (node !== peer) return
        const message = parseMessage(body)
        if (message === undefined) log.write('warning', 'messageMalformed', { node })
        else post({ kind: 'told', message })
      }),
      watchPeer({ peers, peer, timeoutMs, lans, clock, replica, post }),
    )
    if (this.#config.syncdeltaMs > 0) {
      const tick = (): void => post({ kind: 'ticked', wallMs: clock.wallMs() })
      this.#cancels.push(clock.every(tickMs, tick))
    }
    if (replica === undefined) return
    this.#cancels.push(
      replica.watch((event) => {
        if (event.kind === 'progressed') this.#showProgress(event.progress)
        else if (event.kind === 'dataFailed') post({ ...event, wallMs: clock.wallMs() })
        else post(event)
      }),
    )
  }

  /** Resources that can't be taken over fail like any other failure of the running role. */
  async #adopt(state: State): Promise<void> {
    const { place, memory } = state
    const role: Role = place.role === 'demoting' ? place.from : plainRole(place.role)
    const verdict = await this.#transitions.adopt(role, formatGeneration(memory.generation))
    this.#world.log.write('event', 'adopted', { role, ok: verdict.ok })
    const settled = place.role !== 'demoting' && !('stage' in place && place.stage === 'entering')
    if (verdict.ok || !settled) return
    this.#post({ kind: 'dataFailed', cause: verdict.reason, wallMs: this.#world.clock.wallMs() })
  }

  async #onStep(state: State, event: Event): Promise<void> {
    // The replica tells what became of the link before this event; so from here on the state is what is known.
    if (event.kind === 'adopted') this.#isAdopting = false
    // What a restarted daemon goes on with is kept before anything is done on the ground of it.
    await this.#world.store.volatile.write('place', state)
    this.#show(state, event)
  }

  async #perform(action: Action): Promise<void> {
    const { store, peers, clock, log } = this.#world
    switch (action.kind) {
      case 'persist':
        await store.write('memory', action.memory)
        return
      case 'tell':
        // A message that can't go out is lost with its stream; `peerDisconnected` follows.
        if (!peers.send(this.#config.peer, action.message)) {
          log.write('debug', 'notSent', { kind: action.message.kind })
        }
        return
      case 'enter':
        this.#change(action, (verdict) => {
          this.#post({ kind: 'entered', epoch: action.epoch, verdict, wallMs: clock.wallMs() })
        })
        return
      case 'leave':
        this.#transitions.interrupt()
        this.#change(action, (verdict) => {
          this.#post({ kind: 'left', epoch: action.epoch, verdict })
        })
        return
      case 'shift':
        this.#change({ ...action, action: 'start' }, (verdict) => {
          if (!verdict.ok) log.write('warning', 'shiftFailed', { reason: verdict.reason })
        })
        return
      case 'restart':
        this.#restart(action.epoch, action.role)
        return
      case 'claim':
        this.#askWitnesses(action.epoch, action.generation)
        return
      case 'admit':
      case 'follow':
      case 'unfollow':
      case 'detach':
      case 'refuse':
        await this.#data.perform(action)
        return
      case 'arm':
        this.#arm(action)
        return
      case 'answer':
        this.#front.answer(action.ticket, action.verdict)
        return
      default:
        assertNever(action)
    }
  }

  #change(
    order: { readonly from: Role; readonly to: Role; readonly action: TransitionAction },
    then: (verdict: Verdict) => void,
  ): void {
    const { from, to, action } = order
    const { cause, generation = '' } = this.state()
    answered(this.#transitions.change({ from, to, action, cause, generation }), then)
  }

  #restart(epoch: number, role: Role): void {
    const { cause, generation = '' } = this.state()
    const order = { from: role, to: role, action: 'restart', cause, generation } as const
    answered(this.#transitions.restart(order), (verdict) => {
      this.#post({ kind: 'restarted', epoch, verdict, wallMs: this.#world.clock.wallMs() })
    })
  }

  #arm({ timer, epoch, delayMs }: Extract<Action, { kind: 'arm' }>): void {
    this.#timers.get(timer)?.()
    const post = (): void => this.#post({ kind: 'timeUp', epoch })
    this.#timers.set(timer, this.#world.clock.after(delayMs, post))
  }

  #askWitnesses(epoch: number, generation: number): void {
    const { witnesses, module } = this.#world
    const signal = AbortSignal.timeout(this.#config.timeoutMs)
    const answered = (claim: Claim): void => this.#post({ kind: 'claimed', epoch, claim })
    askWitnesses(witnesses, module.name, generation, signal).then(answered, () =>
      answered('unknown'),
    )
  }

  #show(state: State, event?: Event): void {
    const now = present(state, this.#world.clock.wallMs(), this.#progress)
    const isProved = !(this.#isAdopting && now.role === 'SECOND')
    this.#front.show({ ...now, sub: isProved ? now.sub : 'Transient' }, event?.kind)
  }

  #showProgress(progress: Progress): void {
    this.#progress = progress
    const state = this.#machine?.state()
    if (state !== undefined) this.#show(state)
  }
}
