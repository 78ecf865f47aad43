/**
 * Who serves and who follows. The mirror's machine decides that in the product, and has histories of its own; here it is
 * perfect: it knows who has everything, and grants the right to go on to one node. What can go wrong is left to rfs.
 */
import { type NodeName, nodeNames, other } from '../node.js'
import type { World } from './world.js'

export class Arbiter {
  serving: NodeName | undefined
  /** Nothing is served, by the operator's word. */
  isStopped = false
  /** The next copy is to be a full one. */
  isFullWanted = false
  /** Who may serve. */
  readonly holders = new Set<NodeName>(['a'])
  #sessions = 0
  #deciding = false

  constructor(readonly world: World) {
    this.#tick()
  }

  /** A planned exchange: the application is stopped, what waits arrives, then the other node serves. */
  swap(): void {
    const { serving } = this
    if (serving === undefined || this.#deciding) return
    const server = this.world.server(serving)
    if (server?.mode !== 'live') return
    this.#deciding = true
    this.world.clientsWrite = false
    this.#whenQuiet(serving, 40, () => {
      this.#deciding = false
      this.world.clientsWrite = true
      const isStill = this.world.server(serving) === server && server.mode === 'live'
      if (!isStill || server.waits || !this.holders.has(other(serving))) return
      this.world.stopServing(serving)
      this.#takeOver(other(serving))
    })
  }

  stopAll(): void {
    this.isStopped = true
    for (const name of nodeNames) {
      // Changes that wait would keep the application from ending.
      const server = this.world.server(name)
      if (server !== undefined && server.mode !== 'live') server.refuse()
      this.world.stopRole(name)
    }
    this.serving = undefined
  }

  died(name: NodeName): void {
    if (this.serving === name) this.serving = undefined
  }

  #tick(): void {
    const { agenda, random } = this.world
    agenda.after(random.integer(100, 350), () => {
      this.#tick()
      if (this.isStopped || this.#deciding) return
      if (this.serving === undefined) this.#elect()
      else this.#tend(this.serving)
    })
  }

  /** Whoever lost what was not synced serves only when all that had it lost it too. */
  #elect(): void {
    const { random } = this.world
    const holders = nodeNames.filter((name) => this.holders.has(name))
    const strong = holders.filter((name) => !this.world.lostPower(name))
    const able = (strong.length > 0 ? strong : holders).filter((name) => this.world.isAble(name))
    if (able.length > 0) this.#takeOver(random.pick(able))
  }

  #takeOver(name: NodeName): void {
    this.holders.clear()
    this.holders.add(name)
    this.serving = this.world.serve(name) ? name : undefined
  }

  #tend(name: NodeName): void {
    const server = this.world.server(name)
    const peer = other(name)
    if (server === undefined || !this.world.isAble(name)) return
    // A daemon that was restarted gives its last order again.
    if (server.mode === 'alone' && this.world.random.chance(0.02)) server.detach()
    if (server.mode === 'held' && server.link === undefined) this.#decide(name)
    else if (server.mode === 'alone' && server.link === undefined && this.world.isAble(peer)) {
      if (!this.world.network.passes(name) || !this.world.network.passes(peer)) return
      this.#sessions += 1
      this.world.connect(name, String(this.#sessions).padStart(32, '0'), this.isFullWanted)
      this.isFullWanted = false
    }
  }

  /** The link is lost: one of the two goes on, and only one. */
  #decide(name: NodeName): void {
    const { random } = this.world
    const peer = other(name)
    this.#deciding = true
    this.world.agenda.after(random.integer(20, 900), () => {
      this.#deciding = false
      const server = this.world.server(name)
      if (this.serving !== name || server?.mode !== 'held' || server.link !== undefined) return
      const mayHandOver =
        this.holders.has(peer) && this.world.isAble(peer) && !this.world.lostPower(peer)
      if (mayHandOver && random.chance(0.3)) {
        server.refuse()
        this.world.stopServing(name)
        this.#takeOver(peer)
        return
      }
      this.holders.delete(peer)
      server.detach()
    })
  }

  #whenQuiet(name: NodeName, triesLeft: number, then: () => void): void {
    this.world.agenda.after(20, () => {
      const isOver = triesLeft === 0 || this.world.server(name)?.waits !== true
      if (isOver) then()
      else this.#whenQuiet(name, triesLeft - 1, then)
    })
  }
}
