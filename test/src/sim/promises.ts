/**
 * What must hold at every step, whatever happens: checked from outside, with what really is on the disks and in the
 * trees, not with what the machine believes. What an operator gave up in words is accounted as a declared loss.
 */
import type { Memory } from '@holdfast/plugin-mirror'
import type { NodeName, SimNode } from './node.js'
import { other } from './node.js'

export interface Facts {
  node(name: NodeName): SimNode
  memory(name: NodeName): Memory | undefined
  runs(name: NodeName): boolean
  /** Its data plane acknowledges writes without anybody. */
  acknowledgesAlone(name: NodeName): boolean
  talks(): boolean
  /** Something keeps it from stopping its application in time; only a watchdog would help. */
  isHindered(name: NodeName): boolean
  /** It goes on by the operator's choice, without any right, or is about to. */
  goesByChoice(name: NodeName): boolean
  /** No path leads from one to the other and back, or the daemon of one stands still or is dead. */
  isCutOff(): boolean
  readonly hasWitness: boolean
}

/** By whose word a node begins to serve. */
export type Right = 'evidence' | 'operator' | 'isolation'

export class Promises {
  violation: string | undefined
  /** Two applications at the same time while the nodes were cut off: how long, at most. */
  overlapMs = 0
  declaredLosses = 0
  /** Which generation each acknowledged write belongs to. */
  readonly #acknowledged = new Map<number, string>()
  /** What every node that serves must have. */
  readonly #required = new Set<number>()
  readonly #givenUp = new Set<number>()
  readonly #surrendered: Record<NodeName, Set<number>> = { a: new Set(), b: new Set() }
  #lastToAcknowledge: NodeName | undefined
  /** Both may serve, by the operator's word or choice, until one of them follows the other again. */
  #isSplit = false
  #bothSince: number | undefined

  constructor(readonly facts: Facts) {}

  get acknowledgedCount(): number {
    return this.#acknowledged.size
  }

  get isSplit(): boolean {
    return this.#isSplit
  }

  violated(what: string): void {
    this.violation ??= what
  }

  lostOn(name: NodeName): number {
    return missing(this.#required, this.facts.node(name).data).length
  }

  acknowledged(name: NodeName, write: number): void {
    const peer = other(name)
    const generation = keyOf(this.facts.memory(name))
    this.#acknowledged.set(write, generation)
    if (!this.#isSplit) this.#required.add(write)
    const theirs = this.facts.memory(peer)
    const claimsToHaveIt = theirs?.data === 'current' && keyOf(theirs) === generation
    if (claimsToHaveIt && !this.facts.node(peer).data.has(write)) {
      this.violated(
        `${name} acknowledged what ${peer} lacks, whose disk says that it is current in ${generation}`,
      )
    }
    // A confirmation can come late to a node that stood still: what the peer has is safe all the same.
    if (this.#isSplit || this.facts.node(peer).data.has(write)) return
    if (this.facts.runs(peer) && this.facts.acknowledgesAlone(peer)) {
      this.violated(`${name} acknowledged while ${peer} acknowledges by itself`)
    }
    if (this.#lastToAcknowledge === name) return
    this.#lastToAcknowledge = name
    this.#mustHaveAll(name, 'acknowledges')
  }

  /** The machine of `name` decided to serve. */
  decidedToServe(name: NodeName, right: Right): void {
    const peer = other(name)
    const talks = this.facts.talks()
    if (talks && this.facts.runs(peer)) {
      this.violated(
        `${name} begins to serve while ${peer}, that it can talk to, runs the application`,
      )
    }
    if (right === 'operator') {
      const lost = missing(this.#required, this.facts.node(name).data)
      for (const write of lost) this.#giveUp(write)
      if (!talks) this.#isSplit = true
    }
    if (right === 'isolation') this.wentOnByChoice(name)
    // Who goes on by choice has no right yet, and is told of another one's only when the cables are whole.
    if (!talks && this.facts.goesByChoice(peer)) this.#isSplit = true
  }

  /** It goes on without any evidence, as the operator chose for nodes that are cut off from each other. */
  wentOnByChoice(name: NodeName): void {
    const isAlive = this.facts.node(other(name)).powered
    // The other one may have gone on with the right of a witness that does not answer here, and be dead by now.
    const isBehind = this.facts.hasWitness && this.lostOn(name) > 0
    if (isBehind || (isAlive && this.facts.isCutOff())) this.#isSplit = true
  }

  /** A restart where the application runs anyway is no decision to serve: what it may write is checked for itself. */
  started(name: NodeName, isRestart: boolean): void {
    if (!this.#isSplit && !isRestart) this.#mustHaveAll(name, 'serves')
    // A restart that was under way while its node stood still ends when it goes on.
    const isOwnFault = isRestart && this.facts.isHindered(name)
    if (!this.#isSplit && !isOwnFault) this.#mustRunAlone(name)
    this.#lastToAcknowledge = undefined
    this.countOverlap()
  }

  /** Called whenever an application began or ended, or a node stood still or went on. */
  countOverlap(): void {
    const { now } = this.facts.node('a').sim.agenda
    const runs = (name: NodeName): boolean =>
      this.facts.runs(name) && this.facts.node(name).isAwake('power')
    const isBoth = runs('a') && runs('b') && !this.#isSplit
    if (isBoth) this.#bothSince ??= now
    else if (this.#bothSince !== undefined) {
      this.overlapMs = Math.max(this.overlapMs, now - this.#bothSince)
      this.#bothSince = undefined
    }
  }

  /** PRIM: the other node has what this one has, and a split is over. */
  becameWhole(name: NodeName): void {
    // What a node believes that stood still may be over: the operator let the other one serve meanwhile.
    if (!this.#isSplit || this.facts.runs(other(name))) return
    this.#isSplit = false
    const { data } = this.facts.node(name)
    for (const write of missing(this.#required, data)) this.#giveUp(write)
  }

  /** From now on the tree of `follower` is overwritten. */
  overwriting(server: NodeName, follower: NodeName, full: boolean): void {
    const { data } = this.facts.node(follower)
    const surrendered = this.#surrendered[follower]
    if (full) {
      for (const write of data) surrendered.add(write)
      return
    }
    const theirs = this.facts.node(server).data
    for (const write of data) {
      if (theirs.has(write) || !this.#acknowledged.has(write) || surrendered.has(write)) continue
      this.violated(`${follower} overwrites an acknowledged write that ${server} lacks`)
      return
    }
  }

  persisted(name: NodeName, before: Memory | undefined, memory: Memory): void {
    const { data } = this.facts.node(name)
    // What was never finished has no standing; the machine says so on disk before it is overwritten.
    const hasNone = before?.data === 'none' || before?.data === 'partial'
    if (memory.data === 'none' || (memory.data === 'partial' && hasNone)) {
      for (const write of data) this.#surrendered[name].add(write)
    }
    if (before === undefined || before === memory) return
    const hadStanding = before.data === 'current' || before.data === 'stale'
    if (hadStanding && memory.generation.number < before.generation.number) {
      this.violated(`the memory of ${name} went back to an older generation`)
    }
    const says =
      memory.data === 'current' && !(before.data === 'current' && keyOf(before) === keyOf(memory))
    if (says) this.#mustBeCurrent(name, memory)
  }

  /** What was on that disk only is lost, and nobody can be blamed. */
  diskReplaced(name: NodeName): void {
    const { data } = this.facts.node(other(name))
    for (const write of missing(this.#required, data)) this.#giveUp(write)
    this.#surrendered[name].clear()
  }

  #mustRunAlone(name: NodeName): void {
    const peer = other(name)
    if (!this.facts.runs(peer) || this.facts.isHindered(peer)) return
    this.violated(`${name} starts the application while ${peer}, that could stop it, runs it still`)
  }

  #mustHaveAll(name: NodeName, what: string): void {
    const lost = missing(this.#required, this.facts.node(name).data)
    if (lost.length > 0) {
      this.violated(`${name} ${what} without ${lost.length} acknowledged writes`)
    }
  }

  #mustBeCurrent(name: NodeName, memory: Memory): void {
    const { data } = this.facts.node(name)
    const ancestry = new Set(memory.history.map(formatted))
    ancestry.add(keyOf(memory))
    for (const [write, generation] of this.#acknowledged) {
      if (data.has(write) || this.#givenUp.has(write) || !ancestry.has(generation)) continue
      this.violated(
        `the disk of ${name} says that it is current, and it lacks writes of ${generation}`,
      )
      return
    }
  }

  #giveUp(write: number): void {
    this.#required.delete(write)
    this.#givenUp.add(write)
    this.declaredLosses += 1
  }
}

function missing(required: ReadonlySet<number>, data: ReadonlySet<number>): number[] {
  return [...required].filter((write) => !data.has(write))
}

function keyOf(memory: Memory | undefined): string {
  return memory === undefined ? '' : formatted(memory.generation)
}

function formatted({ number, owner, mark }: Memory['generation']): string {
  return `${number}:${owner}:${mark}`
}
