/**
 * The daemon of a simulated node: it runs the product's machine, event by event, and carries out the actions in their
 * order. It can die between any two of them, or stand still.
 */
import {
  type Action,
  type Event,
  initialState,
  type Message,
  type MirrorConfig,
  nothingKnown,
  type State,
  type Step,
} from '@holdfast/plugin-mirror'
import { assertNever, type Claim, done, refused, type Verdict } from '@holdfast/sdk'
import type { Application } from './application.js'
import type { Disk } from './disk.js'
import type { SimNode } from './node.js'
import type { Plane, Replication } from './plane.js'

export type StepFunction = (state: State, event: Event) => Step

export interface DaemonParts {
  readonly node: SimNode
  readonly config: MirrorConfig
  readonly step: StepFunction
  readonly disk: Disk
  readonly application: Application
  readonly replication: Replication
  readonly claim: (generation: number, answered: (claim: Claim) => void) => void
  readonly send: (message: Message) => void
  /** Seen before its actions are carried out. */
  readonly onStep: (before: State, event: Event, next: State) => void
  readonly onAnswer: (verdict: Verdict) => void
  /** It can't go on: the disk is full, or a history wants it to die here. */
  readonly dies: (how: 'daemon' | 'power') => void
}

const tickMs = 10_000

export class Daemon {
  state: State
  /** The daemon dies after this many more actions. */
  doom: { actions: number; readonly how: 'daemon' | 'power' } | undefined
  /** What runs is not what the next daemon should find. */
  cannotAdopt = false
  /** Where the machine was, as kept for the daemon's successor: it survives the daemon, not the power. */
  #place: State | undefined
  #inbox: Event[] = []
  #isBusy = false
  readonly #timers = { question: 0, limit: 0 }
  #life = 0

  constructor(readonly parts: DaemonParts) {
    this.state = initialState(parts.config, 0)
  }

  /** Starts after power on: what is on disk is all there is. */
  boot(): void {
    const fresh = initialState(this.parts.config, this.#freshEpoch())
    this.#begin({ ...fresh, memory: this.parts.disk.memory ?? fresh.memory })
  }

  /** Starts in the place of one that died: what runs is adopted. */
  adopt(): void {
    if (this.#place === undefined) {
      this.boot()
      return
    }
    this.#begin({ ...this.#place, peer: nothingKnown })
    const life = this.parts.node.lives.daemon
    this.#adoptPlane()
    // What it hears of its data plane can be its end.
    if (this.parts.node.lives.daemon === life) this.post({ kind: 'adopted' })
  }

  /** The process is gone; with the power, also what it kept in memory for its successor. */
  end(how: 'daemon' | 'power'): void {
    this.#inbox = []
    this.#isBusy = false
    this.doom = undefined
    this.parts.disk.cutOff()
    this.parts.application.forget()
    if (how === 'power') this.#place = undefined
  }

  /** The data plane that served is dead; a dead daemon leaves that to the next one. */
  replacePlane(): void {
    const { node } = this.parts
    if (!node.daemonRuns) return
    node.later('daemon', node.sim.random.integer(100, 900), () => {
      this.#succeedPlane('the data plane died')
    })
  }

  post(event: Event): void {
    this.#inbox.push(event)
    if (!this.#isBusy) this.#turn()
  }

  #begin(state: State): void {
    this.state = state
    this.#inbox = []
    this.#isBusy = false
    this.#timers.question += 1
    this.#timers.limit += 1
    this.#life += 1
    if (state.config.syncdeltaMs > 0) this.#tick(this.#life)
  }

  #tick(life: number): void {
    this.parts.node.later('daemon', tickMs, () => {
      if (this.#life !== life) return
      this.#tick(life)
      this.post({ kind: 'ticked', wallMs: this.parts.node.wallMs })
    })
  }

  #freshEpoch(): number {
    return this.parts.node.sim.random.integer(1, 1 << 20) * 1_000
  }

  #turn(): void {
    this.#isBusy = true
    for (let event = this.#inbox.shift(); event !== undefined; event = this.#inbox.shift()) {
      const before = this.state
      const { next, actions } = this.parts.step(before, event)
      this.state = next
      this.#place = next
      this.parts.onStep(before, event, next)
      if (!this.#carryOut(actions, 0)) return
    }
    this.#isBusy = false
  }

  /** False: it waits for an action to end, or it is dead; then nothing more may be done here. */
  #carryOut(actions: readonly Action[], from: number): boolean {
    const { node } = this.parts
    const life = node.lives.daemon
    for (let index = from; index < actions.length; index += 1) {
      const action = actions[index]
      if (action === undefined) break
      if (this.#meetsDoom() || node.lives.daemon !== life) return false
      const progress = { isDone: false, isWaiting: false }
      const then = (): void => {
        progress.isDone = true
        if (progress.isWaiting && this.#carryOut(actions, index + 1)) this.#turn()
      }
      this.#act(action, then)
      if (node.lives.daemon !== life) return false
      if (!progress.isDone) {
        progress.isWaiting = true
        return false
      }
    }
    return true
  }

  #meetsDoom(): boolean {
    if (this.doom === undefined) return false
    this.doom.actions -= 1
    if (this.doom.actions > 0) return false
    const { how } = this.doom
    this.doom = undefined
    this.parts.dies(how)
    return true
  }

  #act(action: Action, then: () => void): void {
    const { node, disk, application, replication } = this.parts
    switch (action.kind) {
      case 'persist':
        if (!disk.write(action.memory, then)) this.parts.dies('daemon')
        return
      case 'tell':
        this.parts.send(action.message)
        break
      case 'enter':
        application.change(action, (verdict) =>
          this.post({ kind: 'entered', epoch: action.epoch, verdict, wallMs: node.wallMs }),
        )
        break
      case 'leave':
        application.interrupt()
        application.change(action, (verdict) =>
          this.post({ kind: 'left', epoch: action.epoch, verdict }),
        )
        break
      case 'shift':
        break
      case 'restart':
        application.change({ from: action.role, to: action.role, isRestart: true }, (verdict) =>
          this.post({ kind: 'restarted', epoch: action.epoch, verdict, wallMs: node.wallMs }),
        )
        break
      case 'claim':
        this.parts.claim(action.generation, (claim) =>
          this.post({ kind: 'claimed', epoch: action.epoch, claim }),
        )
        break
      case 'admit':
        this.#admit(action.epoch)
        break
      case 'follow':
        replication.follow(node.name, action.epoch, action.full)
        break
      case 'refuse':
        this.#whenPlaneIsThere(() => {
          replication.refuse(node.name)
          then()
        })
        return
      case 'unfollow':
        this.#soon(() => {
          replication.unfollow(node.name)
          then()
        })
        return
      case 'detach':
        this.#soon(() => {
          this.#whenPlaneIsThere(() => {
            const isDone = replication.detach(node.name, action.epoch)
            if (!isDone) this.#dataFailed('the data plane does not serve')
            then()
          })
        })
        return
      case 'arm':
        this.#arm(action)
        break
      case 'answer':
        this.parts.onAnswer(action.verdict)
        break
      default:
        assertNever(action)
    }
    then()
  }

  /** Orders that the next action waits for: as a rule at once, now and then a moment later. */
  #soon(run: () => void): void {
    const { node } = this.parts
    if (node.sim.random.chance(0.7)) run()
    else node.later('daemon', node.sim.random.integer(1, 60), run)
  }

  #admit(epoch: number): void {
    const { node, replication } = this.parts
    node.later('daemon', node.sim.random.integer(1, 10), () => {
      this.#whenPlaneIsThere(() => {
        const isLetIn = replication.admit(node.name, epoch)
        const verdict = isLetIn ? done : refused('E_SIM_PLANE', 'the data plane does not serve')
        this.post({ kind: 'admitDone', epoch, verdict })
      })
    })
  }

  /** Orders wait while a data plane is replaced. */
  #whenPlaneIsThere(run: () => void): void {
    const { node, replication } = this.parts
    if (!replication.planes[node.name].isOrphan) run()
    else node.later('daemon', 50, () => this.#whenPlaneIsThere(run))
  }

  /** Its follower is lost. The last thing that the former one did may have been to let it be current: that comes first. */
  #succeedPlane(cause: string): void {
    const { node, replication } = this.parts
    if (!replication.succeed(node.name)) return
    const { epoch, mode } = replication.planes[node.name]
    if (mode === 'held') this.post({ kind: 'copyFinished', epoch })
    this.post({ kind: 'linkLost', epoch, cause })
  }

  #arm({ timer, epoch, delayMs }: Extract<Action, { kind: 'arm' }>): void {
    this.#timers[timer] += 1
    const mine = this.#timers[timer]
    this.parts.node.later('daemon', delayMs, () => {
      if (this.#timers[timer] === mine) this.post({ kind: 'timeUp', epoch })
    })
  }

  #dataFailed(cause: string): void {
    this.post({ kind: 'dataFailed', cause, wallMs: this.parts.node.wallMs })
  }

  /** What happened to the data plane while no daemon was there is told to the new one. */
  #adoptPlane(): void {
    const { node, replication } = this.parts
    const { place } = this.state
    const plane = replication.planes[node.name]
    const role = place.role === 'demoting' ? place.from : place.role
    const serves = role === 'alone' || role === 'prim'
    if (this.cannotAdopt) replication.dies(node.name, false)
    else replication.succeed(node.name)
    if (this.cannotAdopt || (serves && !isServing(plane))) {
      this.cannotAdopt = false
      const isSettled = 'stage' in place && place.stage !== 'entering'
      if (isSettled) this.#dataFailed('what runs can not be adopted')
      return
    }
    if (!serves && role !== 'second') return
    const { epoch, link } = plane
    if (link?.phase === 'live') this.post({ kind: 'copyFinished', epoch })
    else if (link === undefined) {
      this.post({ kind: 'linkLost', epoch, cause: 'lost while the daemon was down' })
    }
  }
}

function isServing(plane: Plane): boolean {
  return plane.mode === 'alone' || plane.mode === 'held' || plane.mode === 'live'
}
