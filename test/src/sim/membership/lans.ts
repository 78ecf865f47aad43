/** The LANs: what is sent on them arrives, late, twice, not at all, or only in one direction. */
import type { Incarnation } from '@holdfast/core/decisions'
import type { Simulation } from '../simulation.js'

export interface Datagram {
  readonly cluster: string
  readonly lan: string
  readonly from: string
  readonly to: string
  readonly incarnation: Incarnation
  readonly sequence: number
  /** Does the sender hear the receiver on this LAN? */
  readonly hears: boolean
  /** Made with the cluster's key. */
  readonly isAuthentic: boolean
}

/** How one LAN is in one direction. */
interface Way {
  isUp: boolean
  /** Since when it is not up. */
  cutMs: number | undefined
  lossPercent: number
  twicePercent: number
  delayMsMax: number
}

const capturedMax = 200

export class Lans {
  /** What an attacker who listens has: the last datagrams that were sent. */
  readonly captured: Datagram[] = []
  readonly #ways = new Map<string, Way>()

  constructor(
    readonly sim: Simulation,
    readonly deliver: (to: string, lan: string, datagram: Datagram) => void,
  ) {}

  passes(lan: string, from: string, to: string): boolean {
    return this.#way(lan, from, to).isUp
  }

  /** Since when at least one direction is cut; undefined: none is. */
  cutMs(lan: string, one: string, other: string): number | undefined {
    const ways = [this.#way(lan, one, other), this.#way(lan, other, one)]
    const cuts = ways.flatMap(({ cutMs }) => (cutMs === undefined ? [] : [cutMs]))
    return cuts.length === 0 ? undefined : Math.min(...cuts)
  }

  change(lan: string, from: string, to: string, change: Partial<Omit<Way, 'cutMs'>>): void {
    const way = this.#way(lan, from, to)
    Object.assign(way, change)
    way.cutMs = way.isUp ? undefined : (way.cutMs ?? this.sim.agenda.now)
  }

  send(datagram: Datagram): void {
    this.captured.push(datagram)
    if (this.captured.length > capturedMax) this.captured.shift()
    this.carry(datagram.to, datagram.lan, datagram)
  }

  /** Whoever is on the LAN can send to anybody there, whatever the datagram says. */
  carry(to: string, lan: string, datagram: Datagram): void {
    const { random } = this.sim
    const way = this.#way(lan, datagram.from, to)
    if (!way.isUp) return
    if (way.lossPercent > 0 && random.chance(way.lossPercent / 100)) return
    this.#arrive(to, lan, datagram, way)
    if (way.twicePercent > 0 && random.chance(way.twicePercent / 100)) {
      this.#arrive(to, lan, datagram, way)
    }
  }

  #arrive(to: string, lan: string, datagram: Datagram, way: Way): void {
    const delayMs = this.sim.random.integer(0, way.delayMsMax)
    this.sim.agenda.after(delayMs, () => this.deliver(to, lan, datagram))
  }

  #way(lan: string, from: string, to: string): Way {
    const key = `${lan} ${from}>${to}`
    let way = this.#ways.get(key)
    if (way === undefined) {
      way = { isUp: true, cutMs: undefined, lossPercent: 0, twicePercent: 0, delayMsMax: 3 }
      this.#ways.set(key, way)
    }
    return way
  }
}
