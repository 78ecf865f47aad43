/** The connection of two data planes: in order, at most once, and each end notices its death at its own time. */
import type { Change } from './tree.js'
import { other, type NodeName, type SimNode } from '../node.js'

export type Message =
  | { readonly kind: 'op'; readonly number: number; readonly change: Change | undefined }
  | { readonly kind: 'sync'; readonly token: number; readonly path: string }
  | { readonly kind: 'plain'; readonly code: number; readonly value: number }
  | { readonly kind: 'pulse' }

export interface LinkHooks {
  node(name: NodeName): SimNode
  passes(from: NodeName): boolean
  received(link: Link, at: NodeName, message: Message): void
  lost(link: Link, at: NodeName, cause: string): void
}

const timeoutMs = 1_000
const pulseMs = 200
const retryMs = 50

export class Link {
  readonly isOpen: Record<NodeName, boolean> = { a: true, b: true }
  readonly #heardAt: Record<NodeName, number>
  readonly #queues: Record<NodeName, Message[]> = { a: [], b: [] }
  readonly #moving: Record<NodeName, boolean> = { a: false, b: false }

  constructor(
    readonly server: NodeName,
    /** Named by both journals when they were made equal over it. */
    readonly session: string,
    readonly hooks: LinkHooks,
  ) {
    const { now } = hooks.node(server).sim.agenda
    this.#heardAt = { a: now, b: now }
    this.#watch('a')
    this.#watch('b')
  }

  send(from: NodeName, message: Message): void {
    if (!this.isOpen[from]) return
    this.#queues[from].push(message)
    this.#move(from)
  }

  /** One end is closed; the other hears of it when a packet gets there. */
  close(at: NodeName, cause: string): void {
    if (!this.isOpen[at]) return
    this.isOpen[at] = false
    this.hooks.lost(this, at, cause)
    this.#hangUp(at)
  }

  /** The process is gone. `isQuiet`: the machine with it. */
  dies(at: NodeName, isQuiet: boolean): void {
    if (!this.isOpen[at]) return
    this.isOpen[at] = false
    if (isQuiet) this.#queues[at] = []
    else this.#hangUp(at)
  }

  #hangUp(from: NodeName): void {
    const peer = this.hooks.node(other(from))
    const { agenda, random } = peer.sim
    agenda.after(random.integer(1, 30), () => {
      // What was sent before arrives before.
      if (this.#queues[from].length > 0) this.#hangUp(from)
      else if (this.hooks.passes(from) && peer.isAwake('plane')) {
        this.close(peer.name, 'the other end was closed')
      }
    })
  }

  #move(from: NodeName): void {
    if (this.#moving[from]) return
    this.#moving[from] = true
    const { agenda, random } = this.hooks.node(from).sim
    const to = other(from)
    const deliver = (): void => {
      if (!this.isOpen[to]) this.#queues[from] = []
      if (this.#queues[from].length === 0) {
        this.#moving[from] = false
        return
      }
      if (!this.hooks.passes(from) || !this.hooks.node(to).isAwake('plane')) {
        agenda.after(retryMs, deliver)
        return
      }
      const message = this.#queues[from].shift()
      this.#heardAt[to] = agenda.now
      if (message !== undefined) this.hooks.received(this, to, message)
      agenda.after(random.integer(0, 3), deliver)
    }
    agenda.after(random.integer(0, 3), deliver)
  }

  #watch(at: NodeName): void {
    const node = this.hooks.node(at)
    node.later('plane', pulseMs, () => {
      if (!this.isOpen[at]) return
      if (node.sim.agenda.now - this.#heardAt[at] > timeoutMs) {
        this.close(at, 'nothing was heard')
        return
      }
      this.send(at, { kind: 'pulse' })
      this.#watch(at)
    })
  }
}
