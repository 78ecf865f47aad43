/** Two simulated nodes that run the product's own mirror machine, and everything that can be done to them. */
import { type Event, type Memory, type State, step } from '@holdfast/plugin-mirror'
import type { OperatorCommand, Verdict } from '@holdfast/sdk'
import { Agenda } from './agenda.js'
import { Application } from './application.js'
import { transitionOf } from './coverage.js'
import { Daemon, type StepFunction } from './daemon.js'
import { Disk } from './disk.js'
import { type Lan, Network } from './network.js'
import { type NodeName, nodeNames, other, SimNode } from './node.js'
import { Replication } from './plane.js'
import { Promises } from './promises.js'
import { Random } from './random.js'
import type { Coverage } from './reached.js'
import { goesByChoice, goesOnByChoice, rightOf } from './rights.js'
import { configOf, lans, type Setting, takeoverDelayMs, timeoutMs } from './setting.js'
import { Trace } from './simulation.js'
import { describeStep, placeOf } from './step-words.js'
import { Witness } from './witness.js'

export interface WorldOptions {
  readonly seed: number
  readonly setting: Setting
  readonly step?: StepFunction
  /** A wrong world: silence of the heartbeats alone counts, as if there were no replication link. */
  readonly ignoresLink?: boolean
  readonly coverage?: Coverage | undefined
  readonly traced?: boolean
}

interface Host {
  readonly node: SimNode
  readonly disk: Disk
  readonly application: Application
  readonly daemon: Daemon
  readonly ambushes: Ambush[]
}

interface Ambush {
  /** Of `placeOf`. */
  readonly place: string
  readonly run: () => void
}

const ambushesMax = 50

/** The service manager starts a daemon again that died. */
const restartMs = { from: 200, to: 1_500 }

export class World {
  readonly agenda = new Agenda()
  readonly random: Random
  readonly trace: Trace | undefined
  readonly network: Network
  readonly replication: Replication
  readonly witness = new Witness()
  readonly promises: Promises
  readonly setting: Setting
  /** What the last command was answered. */
  answer: Verdict | undefined
  /** Events of the machines so far. */
  steps = 0
  clientsWrite = true
  wasDiskReplaced = false
  #isSpared = false
  readonly #hosts: Record<NodeName, Host>
  readonly #isOver = (): boolean => this.promises.violation !== undefined

  constructor(readonly options: WorldOptions) {
    this.setting = options.setting
    this.random = new Random(options.seed)
    this.trace = options.traced === true ? new Trace() : undefined
    this.promises = new Promises({
      node: (name) => this.node(name),
      memory: (name) => this.memory(name),
      runs: (name) => this.runs(name),
      acknowledgesAlone: (name) => this.replication.planes[name].mode === 'alone',
      talks: () => this.#canTalk(),
      isHindered: (name) => this.#isHindered(name),
      goesByChoice: (name) =>
        goesByChoice(this.#hosts[name].daemon.state, !this.witness.reachable[name]),
      hasWitness: this.setting.witness !== 'none',
      isCutOff: () =>
        !this.network.isCalm ||
        this.network.isCutOff ||
        nodeNames.some((name) => !this.node(name).isAwake('daemon')),
    })
    this.network = new Network({
      node: (name) => this.node(name),
      tell: (name, event) => this.#post(name, { kind: event }),
      heardMsAgo: (name) =>
        options.ignoresLink === true ? undefined : this.replication.heardMsAgo(name),
    })
    this.replication = new Replication({
      node: (name) => this.node(name),
      flowPasses: (from) => this.network.flowPasses(from),
      flowCarries: (from) => this.network.flowCarries(from),
      tell: (name, event) => this.#post(name, event),
      acknowledged: (name, write) => this.promises.acknowledged(name, write),
      overwriting: (server, follower, full) => this.promises.overwriting(server, follower, full),
    })
    this.#hosts = { a: this.#host('a'), b: this.#host('b') }
    this.#client()
  }

  node(name: NodeName): SimNode {
    return this.#hosts[name].node
  }

  state(name: NodeName): State {
    return this.#hosts[name].daemon.state
  }

  memory(name: NodeName): Memory | undefined {
    return this.#hosts[name].disk.memory
  }

  runs(name: NodeName): boolean {
    return this.#hosts[name].application.runs
  }

  application(name: NodeName): Application {
    return this.#hosts[name].application
  }

  disk(name: NodeName): Disk {
    return this.#hosts[name].disk
  }

  /** Lets time pass; ends at once when a promise is broken. */
  run(forMs: number): void {
    this.agenda.run(this.agenda.now + forMs, this.#isOver)
  }

  /** Lets time pass until it holds, at most so long. */
  runUntil(holds: () => boolean, forMs: number): boolean {
    const untilMs = this.agenda.now + forMs
    while (!holds() && this.agenda.now < untilMs && !this.#isOver()) this.run(250)
    return holds()
  }

  note(name: string, what: string): void {
    this.trace?.note(this.agenda.now, name, what)
  }

  // What can be done to it

  powerOn(name: NodeName): void {
    const { node } = this.#hosts[name]
    if (node.powered) return
    this.note(name, 'power on')
    node.powered = true
    node.frozen = 'no'
    this.#startDaemon(name, false)
  }

  powerOff(name: NodeName): void {
    const { node, application, daemon } = this.#hosts[name]
    if (!node.powered) return
    this.note(name, 'power off')
    node.powered = false
    node.daemonRuns = false
    node.frozen = 'no'
    this.#loseUnsynced(name)
    for (const layer of ['power', 'daemon', 'plane'] as const) node.ends(layer)
    daemon.end('power')
    application.dies()
    this.replication.dies(name, true)
    this.network.end(name, true)
  }

  /** kill -9 of holdfastd; the service manager starts it again. */
  killDaemon(name: NodeName): void {
    const { node, daemon } = this.#hosts[name]
    if (!node.daemonRuns) return
    this.note(name, 'daemon dies')
    node.daemonRuns = false
    if (node.frozen === 'daemon') node.frozen = 'no'
    node.ends('daemon')
    daemon.end('daemon')
    this.network.end(name, false)
    node.later('power', this.random.integer(restartMs.from, restartMs.to), () => {
      if (!node.daemonRuns) this.#startDaemon(name, true)
    })
  }

  /**
   * kill -9 of the data plane. One that served gets a successor, and the application only waits, unless that fails as well:
   * then the directories are gone for it.
   */
  killPlane(name: NodeName, forGood: boolean): void {
    const { node, daemon } = this.#hosts[name]
    if (!node.powered) return
    this.note(name, 'data plane dies')
    const { mode, epoch, isOrphan } = this.replication.planes[name]
    node.ends('plane')
    const isServing = mode !== 'idle' && mode !== 'following'
    // A successor that dies before it serves is the end.
    if (isServing && !forGood && !isOrphan) {
      this.replication.orphaned(name)
      daemon.replacePlane()
      return
    }
    this.replication.dies(name, false)
    const cause = 'the data plane died'
    if (mode === 'following') this.#post(name, { kind: 'linkLost', epoch, cause })
    else if (isServing) this.#post(name, { kind: 'dataFailed', cause, wallMs: node.wallMs })
  }

  /** The next daemon that is to adopt what runs here can't. */
  failAdoption(name: NodeName): void {
    this.#hosts[name].daemon.cannotAdopt = true
  }

  freeze(name: NodeName, what: 'daemon' | 'node'): void {
    const { node } = this.#hosts[name]
    if (!node.powered || node.frozen !== 'no') return
    this.note(name, `${what} freezes`)
    node.frozen = what
    this.promises.countOverlap()
  }

  thaw(name: NodeName): void {
    const { node } = this.#hosts[name]
    if (node.frozen === 'no') return
    this.note(name, 'goes on')
    this.network.thawed(name)
    node.thaw()
    this.promises.countOverlap()
  }

  /** The daemon dies, or the power fails, after so many more actions of its machine: between any two of them. */
  doom(name: NodeName, actions: number, how: 'daemon' | 'power'): void {
    this.#hosts[name].daemon.doom = { actions, how }
  }

  /** What was to happen later does not. */
  spare(): void {
    this.#isSpared = true
    for (const name of nodeNames) this.#hosts[name].daemon.doom = undefined
  }

  replaceDisk(name: NodeName): void {
    const { node, disk } = this.#hosts[name]
    if (node.powered) return
    this.note(name, 'disk replaced')
    this.promises.diskReplaced(name)
    this.wasDiskReplaced = true
    disk.replace()
    node.data = new Set()
  }

  cut(isCut: boolean, from: readonly NodeName[] = nodeNames, on: readonly Lan[] = lans): void {
    for (const lan of on) for (const name of from) this.network.set(lan, name, !isCut)
    this.note('', `network: ${isCut ? 'cut' : 'heal'} from ${from.join()} on LAN ${on.join()}`)
  }

  command(name: NodeName, command: OperatorCommand, full = false, identity?: string): void {
    const { node, daemon } = this.#hosts[name]
    this.answer = undefined
    if (!node.isAwake('daemon')) return
    this.note(name, `command ${command}${full ? ' fullsync' : ''}`)
    const cause = identity ?? 'operator'
    const { wallMs } = node
    daemon.post({ kind: 'commanded', command, full, identity, cause, wallMs, ticket: 0 })
  }

  /** Once, as soon as the machine of this node gets to this place. */
  ambush(name: NodeName, place: string, run: () => void): void {
    const waiting = this.#hosts[name].ambushes
    if (waiting.length < ambushesMax) waiting.push({ place, run })
  }

  /** One write of a client at whoever runs the application. */
  write(): void {
    for (const name of nodeNames) {
      const { node, application } = this.#hosts[name]
      if (application.runs && node.isAwake('plane')) this.replication.write(name)
    }
  }

  #client(): void {
    this.agenda.after(this.random.integer(100, 500), () => {
      this.#client()
      if (this.clientsWrite) this.write()
    })
  }

  #startDaemon(name: NodeName, isSuccessor: boolean): void {
    const { node, daemon } = this.#hosts[name]
    node.daemonRuns = true
    node.hinderedAt = this.agenda.now
    const life = node.lives.daemon
    this.note(name, 'daemon starts')
    if (isSuccessor) daemon.adopt()
    else daemon.boot()
    // It may have died at once: of a full disk.
    if (node.lives.daemon === life) this.network.begin(name)
  }

  /** What was not confirmed yet was perhaps not on the disk. */
  #loseUnsynced(name: NodeName): void {
    const { data } = this.node(name)
    const { pending, unsynced } = this.replication.planes[name]
    for (const write of [...pending, ...unsynced]) if (this.random.chance(0.5)) data.delete(write)
  }

  #post(name: NodeName, event: Event): void {
    const { node, daemon } = this.#hosts[name]
    // To a daemon that stands still it comes later; to none, never: its successor looks for itself.
    if (node.isAwake('daemon')) daemon.post(event)
    else if (node.daemonRuns) node.later('daemon', 0, () => daemon.post(event))
  }

  /** Its daemon stands still or is dead, or its application does not stop in the time that is counted on. */
  #isHindered(name: NodeName): boolean {
    const { node, application, disk, daemon } = this.#hosts[name]
    const { place } = daemon.state
    if (place.role === 'demoting' && place.failure !== undefined) return true
    const isNow =
      !node.isAwake('daemon') || application.isSlowToStop || application.isStuck || disk.isSlow
    return isNow || this.agenda.now - node.hinderedAt < timeoutMs + takeoverDelayMs
  }

  /** By their daemons, or by their data planes. */
  #canTalk(): boolean {
    if (!this.network.isCalm) return false
    if (this.network.talks()) return true
    const { a, b } = this.replication.planes
    const isLinked = a.link !== undefined && a.link === b.link
    const isUp = nodeNames.every((name) => this.network.flowPasses(name))
    return isLinked && isUp && nodeNames.every((name) => this.node(name).isAwake('plane'))
  }

  #host(name: NodeName): Host {
    const node = new SimNode(name, this)
    const disk = new Disk(node, (before, memory) => this.promises.persisted(name, before, memory))
    const application = new Application(node, {
      started: (isRestart) => {
        this.note(name, 'application starts')
        this.promises.started(name, isRestart)
      },
      stopped: () => {
        this.note(name, 'application ended')
        this.promises.countOverlap()
      },
      serve: () => this.replication.serve(name),
      unserve: () => this.replication.unserve(name),
      unfollow: () => this.replication.unfollow(name),
      isBlocked: () => this.replication.isBlocked(name),
    })
    const peer = other(name)
    const daemon = new Daemon({
      node,
      config: configOf(name, this.setting),
      step: this.options.step ?? step,
      disk,
      application,
      replication: this.replication,
      claim: (generation, answered) => this.witness.claim(node, generation, answered),
      send: (message) => {
        this.network.send(name, () => this.#post(peer, { kind: 'told', message }))
      },
      onStep: (before, event, next) => this.#onStep(name, before, event, next),
      onAnswer: (verdict) => {
        this.answer = verdict
      },
      dies: (how) => (how === 'power' ? this.powerOff(name) : this.killDaemon(name)),
    })
    return { node, disk, application, daemon, ambushes: [] }
  }

  /** A moment later, so that it happens while the actions of the step are carried out, or after them. */
  #spring(name: NodeName, from: string, to: string): void {
    const { ambushes } = this.#hosts[name]
    if (from === to || ambushes.length === 0 || this.#isSpared) return
    const index = ambushes.findIndex(({ place }) => place === to)
    const [sprung] = index < 0 ? [] : ambushes.splice(index, 1)
    if (sprung === undefined) return
    this.agenda.after(this.random.integer(0, 3), () => {
      if (!this.#isSpared) sprung.run()
    })
  }

  #onStep(name: NodeName, before: State, event: Event, next: State): void {
    this.steps += 1
    // A stop that failed is tried again when the operator says so, or the daemon is restarted.
    const isFailed = before.place.role === 'demoting' && before.place.failure !== undefined
    if (isFailed) this.node(name).hinderedAt = this.agenda.now
    this.options.coverage?.reached(transitionOf(before, event))
    if (this.trace !== undefined) this.note(name, describeStep(before, event, next))
    this.#spring(name, placeOf(before), placeOf(next))
    if (goesOnByChoice(before, event, next)) this.promises.wentOnByChoice(name)
    if (before.place.role === next.place.role) return
    if (next.place.role === 'prim') this.promises.becameWhole(name)
    const begins = next.place.role === 'alone' && before.place.role !== 'prim'
    if (begins) this.promises.decidedToServe(name, rightOf(before, event))
  }
}
