/** Turns the world into the machine's events and its actions into the world. */
import {
  assertNever,
  type Cancel,
  type Clock,
  type CommandOptions,
  done,
  Front,
  type Log,
  type ModuleState,
  type OperatorCommand,
  refused,
  type Resource,
  type Role,
  type RunningMachine,
  runMachine,
  type Store,
  type Topology,
  type TransitionAction,
  Transitions,
  type Verdict,
  endProcess,
} from '@holdfast/sdk'
import { initialState, step } from '../decide/decide.js'
import { present } from '../decide/present.js'
import type { Action, Event, LightConfig, Place, State } from '../decide/types.js'

export interface LightWorld {
  readonly clock: Clock
  readonly log: Log
  readonly store: Store
  readonly resources: readonly Resource[]
}

const placeName = 'place'

export class LightDriver implements Topology {
  readonly #world: LightWorld
  readonly #config: LightConfig
  readonly #transitions: Transitions
  readonly #front: Front
  #machine: RunningMachine<State, Event> | undefined

  constructor(world: LightWorld, config: LightConfig) {
    this.#world = world
    this.#config = config
    this.#transitions = new Transitions(world.resources, world.log, world.clock)
    this.#front = new Front(world.log, present(initialState(config, 0), world.clock.wallMs()))
  }

  async begin(mode: 'rest' | 'adopt' | 'start'): Promise<Verdict> {
    const { store } = this.#world
    const running = mode === 'adopt' ? await store.volatile.read<State>(placeName) : undefined
    const initial = { ...(running ?? initialState(this.#config, 0)), config: this.#config }
    this.#machine = runMachine<State, Event, Action>(
      { initial, step },
      {
        perform: (action) => {
          this.#perform(action)
        },
        onStep: async (state, event) => {
          // What a restarted daemon goes on with is kept before anything is done on the ground of it.
          await store.volatile.write(placeName, state)
          this.#show(state, event)
        },
        onFailed: endProcess,
      },
    )
    this.#show(initial)
    if (running !== undefined) await this.#adopt(running.place)
    return mode === 'start' ? await this.command('start', { cause: 'start at boot' }) : done
  }

  async command(command: OperatorCommand, options: CommandOptions): Promise<Verdict> {
    return await this.#front.ask((ticket) => {
      this.#post({
        kind: 'commanded',
        command,
        identity: options.identity,
        cause: options.cause ?? `${command} by ${options.identity ?? 'the operator'}`,
        wallMs: this.#world.clock.wallMs(),
        ticket,
      })
    })
  }

  state(): ModuleState {
    return this.#front.state()
  }

  watch(on: (state: ModuleState) => void): Cancel {
    return this.#front.watch(on)
  }

  async alive(): Promise<void> {
    await this.#machine?.settled()
  }

  /** The daemon ends or the module is reconfigured: what runs goes on, only the deciding ends. */
  async stop(): Promise<void> {
    await this.#machine?.stop()
    this.#front.close(refused('E_LIGHT_ENDING', 'the daemon is ending'))
  }

  #post(event: Event): void {
    this.#machine?.post(event)
  }

  async #adopt(place: Place): Promise<void> {
    const role = place.role === 'leaving' ? place.from : place.role
    const verdict = await this.#transitions.adopt(role, '')
    this.#world.log.write('event', 'adopted', { role, ok: verdict.ok })
    this.#post({ kind: 'adopted', verdict, wallMs: this.#world.clock.wallMs() })
  }

  #perform(action: Action): void {
    const { clock } = this.#world
    switch (action.kind) {
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
      case 'restart': {
        const order = { from: 'up', to: 'up', action: 'restart' } as const
        const restarted = this.#transitions.restart(this.#transition(order))
        tell(restarted, (verdict) => {
          this.#post({ kind: 'restarted', epoch: action.epoch, verdict, wallMs: clock.wallMs() })
        })
        return
      }
      case 'answer':
        this.#front.answer(action.ticket, action.verdict)
        return
      default:
        assertNever(action)
    }
  }

  #change(order: Order, then: (verdict: Verdict) => void): void {
    tell(this.#transitions.change(this.#transition(order)), then)
  }

  #transition({ from, to, action }: Order): Order & { cause: string; generation: string } {
    return { from, to, action, cause: this.state().cause, generation: '' }
  }

  #show(state: State, event?: Event): void {
    this.#front.show(present(state, this.#world.clock.wallMs()), event?.kind)
  }
}

interface Order {
  readonly from: Role
  readonly to: Role
  readonly action: TransitionAction
}

/** Transitions turn every failure into a verdict; what is thrown all the same is a bug. */
function tell(outcome: Promise<Verdict>, then: (verdict: Verdict) => void): void {
  outcome.then(then, endProcess)
}
