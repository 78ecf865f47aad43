/** One authenticated stream a pair of nodes, as the transport keeps it: what each end believes, and when it was heard. */
import type { Simulation } from '../simulation.js'
import type { Lans } from './lans.js'
import type { Node } from './node.js'
import { pulseMs, streamTimeoutMs } from './setting.js'

interface End {
  isOpen: boolean
  /** By the node's own clock. */
  heardMs: number
  readonly life: string
}

interface Stream {
  readonly lan: string
  readonly ends: ReadonlyMap<string, End>
}

const dialMs = 700

export class Streams {
  readonly #streams = new Map<string, Stream>()

  constructor(
    readonly sim: Simulation,
    readonly nodes: ReadonlyMap<string, Node>,
    readonly lans: Lans,
    readonly lanNames: readonly string[],
  ) {
    const names = [...nodes.keys()]
    names.forEach((one, index) => {
      for (const other of names.slice(index + 1)) this.#tend(one, other)
    })
  }

  /** Undefined: this end has no open stream. */
  heard(at: string, peer: string): { readonly lan: string; readonly heardMs: number } | undefined {
    const stream = this.#streams.get(keyOf(at, peer))
    const end = stream?.ends.get(at)
    const isOurs = end?.life === this.nodes.get(at)?.incarnation.id
    if (stream === undefined || end?.isOpen !== true || !isOurs) return undefined
    return { lan: stream.lan, heardMs: end.heardMs }
  }

  /** The process ended: its ends are closed, and the other ends hear of it if a packet gets there. */
  ended(name: string): void {
    for (const [key, stream] of this.#streams) {
      const end = stream.ends.get(name)
      if (end === undefined) continue
      end.isOpen = false
      const [one, other] = key.split(' ')
      const peer = one === name ? other : one
      const theirs = peer === undefined ? undefined : stream.ends.get(peer)
      if (peer === undefined || theirs === undefined) continue
      if (this.lans.passes(stream.lan, name, peer)) theirs.isOpen = false
    }
  }

  #tend(one: string, other: string): void {
    const stream = this.#streams.get(keyOf(one, other))
    const isOver = stream === undefined || ![...stream.ends.values()].some((end) => end.isOpen)
    if (isOver) this.#dial(one, other)
    else for (const name of [one, other]) this.#hear(stream, name, name === one ? other : one)
    const afterMs = isOver ? dialMs : pulseMs
    this.sim.agenda.after(afterMs, () => this.#tend(one, other))
  }

  #dial(one: string, other: string): void {
    const mine = this.nodes.get(one)
    const theirs = this.nodes.get(other)
    if (mine?.isAwake !== true || theirs?.isAwake !== true) return
    const lan = this.lanNames.find(
      (name) =>
        mine.lans.includes(name) &&
        theirs.lans.includes(name) &&
        this.lans.passes(name, one, other) &&
        this.lans.passes(name, other, one),
    )
    if (lan === undefined) return
    // Each end may know a later incarnation of the other one.
    if (!mine.prove(other, theirs.incarnation) || !theirs.prove(one, mine.incarnation)) return
    const endOf = (node: Node): End => ({
      isOpen: true,
      heardMs: node.nowMs,
      life: node.incarnation.id,
    })
    const ends = new Map([
      [one, endOf(mine)],
      [other, endOf(theirs)],
    ])
    this.#streams.set(keyOf(one, other), { lan, ends })
  }

  #hear(stream: Stream, at: string, peer: string): void {
    const mine = this.nodes.get(at)
    const end = stream.ends.get(at)
    const theirs = stream.ends.get(peer)
    if (mine?.isAwake !== true || end?.isOpen !== true || theirs === undefined) return
    const speaks = theirs.isOpen && this.nodes.get(peer)?.isAwake === true
    if (speaks && this.lans.passes(stream.lan, peer, at)) end.heardMs = mine.nowMs
    else if (mine.nowMs - end.heardMs > streamTimeoutMs) end.isOpen = false
  }
}

function keyOf(one: string, other: string): string {
  return one < other ? `${one} ${other}` : `${other} ${one}`
}
