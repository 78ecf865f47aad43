/**
 * The data planes of both nodes and the link between them: copying, following live, holding writes when the link is
 * lost, and noticing the loss at different times on its two ends. It goes on without the daemons.
 */
import type { NodeName, SimNode } from './node.js'
import { nodeNames, other } from './node.js'
import { pulseMs, timeoutMs } from './setting.js'

export type Mode = 'idle' | 'alone' | 'held' | 'live' | 'following'

interface Link {
  readonly epoch: number
  readonly server: NodeName
  /** `last`: new writes wait while the last of the copy is applied. */
  phase: 'copying' | 'last' | 'live'
  readonly isOpen: Record<NodeName, boolean>
  readonly heardAt: Record<NodeName, number>
}

export interface Plane {
  mode: Mode
  /** The last epoch that it was told of, by admit or follow. */
  epoch: number
  admits: boolean
  link: Link | undefined
  /** Made here, not acknowledged to the application yet. */
  readonly pending: Set<number>
  /** Received, and not on this disk yet. */
  readonly unsynced: Set<number>
  /** Calls of the application that were not even begun. */
  parked: number
  /** Calls that would wait fail instead. */
  refuses: boolean
  /** The process is dead, and the kernel keeps the mount and its calls for a successor. */
  isOrphan: boolean
}

export type LinkEvent =
  | { readonly kind: 'copyFinished'; readonly epoch: number }
  | { readonly kind: 'linkLost'; readonly epoch: number; readonly cause: string }

export interface ReplicationHooks {
  node(name: NodeName): SimNode
  flowPasses(from: NodeName): boolean
  flowCarries(from: NodeName): boolean
  tell(node: NodeName, event: LinkEvent): void
  acknowledged(node: NodeName, write: number): void
  overwriting(server: NodeName, follower: NodeName, full: boolean): void
}

export class Replication {
  readonly planes: Record<NodeName, Plane> = { a: idlePlane(), b: idlePlane() }
  /** The next copies take this long, as with much data on a thin line. */
  copyMs: number | undefined
  #writes = 0

  constructor(readonly hooks: ReplicationHooks) {}

  get writes(): number {
    return this.#writes
  }

  /** Milliseconds since this end heard the other one; undefined: no link. */
  heardMsAgo(name: NodeName): number | undefined {
    const { link } = this.planes[name]
    const { now } = this.hooks.node(name).sim.agenda
    return link === undefined ? undefined : now - link.heardAt[name]
  }

  // Orders of the daemon

  serve(name: NodeName): void {
    const plane = this.planes[name]
    if (plane.mode === 'idle' || plane.mode === 'following') plane.mode = 'alone'
    plane.refuses = false
  }

  /** The application is stopped: nothing is written any more. */
  unserve(name: NodeName): void {
    const plane = this.planes[name]
    this.#closeOwn(name, 'the other side stopped serving')
    Object.assign(plane, { mode: 'idle', admits: false, parked: 0, isOrphan: false })
    plane.pending.clear()
  }

  admit(name: NodeName, epoch: number): boolean {
    const plane = this.planes[name]
    if (plane.mode === 'idle' || plane.mode === 'following') return false
    this.#closeOwn(name, 'another follower is let in')
    Object.assign(plane, { epoch, admits: true })
    return true
  }

  /** Goes on alone: what waited is released. False: this plane does not serve. */
  detach(name: NodeName, epoch: number): boolean {
    const plane = this.planes[name]
    if (plane.mode === 'idle' || plane.mode === 'following') return false
    this.#closeOwn(name, 'the other side goes on alone')
    Object.assign(plane, { mode: 'alone', admits: false, epoch })
    this.#release(name)
    return true
  }

  /** What waits fails: the application must be able to end. */
  refuse(name: NodeName): void {
    const plane = this.planes[name]
    this.#closeOwn(name, 'the other side gives up its role')
    plane.refuses = true
    plane.parked = 0
    plane.pending.clear()
  }

  isBlocked(name: NodeName): boolean {
    const { mode, parked, pending, isOrphan } = this.planes[name]
    return (mode === 'held' || isOrphan) && (parked > 0 || pending.size > 0)
  }

  follow(name: NodeName, epoch: number, full: boolean): void {
    this.#closeOwn(name, 'a newer order to follow')
    const plane = this.planes[name]
    Object.assign(plane, { mode: 'following', epoch })
    const node = this.hooks.node(name)
    node.later('plane', node.sim.random.integer(2, 60), () => this.#connect(name, epoch, full))
  }

  unfollow(name: NodeName): void {
    const plane = this.planes[name]
    if (plane.mode !== 'following') return
    this.#closeOwn(name, 'the other side stopped following')
    plane.mode = 'idle'
  }

  // What the application and the world do

  /** One write of the application that runs here. */
  write(name: NodeName): void {
    const plane = this.planes[name]
    if (plane.refuses) return
    const waits = plane.mode === 'held' || plane.isOrphan || plane.link?.phase === 'last'
    if (waits) plane.parked = 1
    else if (plane.mode === 'alone' || plane.mode === 'live') this.#write(name, plane)
  }

  /** The process or the whole node is gone; `isQuiet`: nobody closes its connections. */
  dies(name: NodeName, isQuiet: boolean): void {
    const plane = this.planes[name]
    const { link } = plane
    if (link !== undefined) {
      this.#spoil(name, link)
      link.isOpen[name] = false
      plane.link = undefined
      if (!isQuiet) this.#hangUp(link, name, 'the other data plane died')
    }
    Object.assign(plane, { mode: 'idle', admits: false, parked: 0, isOrphan: false })
    plane.pending.clear()
    plane.unsynced.clear()
  }

  /** The process of a serving plane is gone; calls that were not answered come again to its successor. */
  orphaned(name: NodeName): void {
    const plane = this.planes[name]
    const { link } = plane
    Object.assign(plane, { isOrphan: true, admits: false })
    if (link === undefined) return
    link.isOpen[name] = false
    plane.link = undefined
    if (plane.mode === 'live') plane.mode = 'held'
    this.#hangUp(link, name, 'the other data plane died')
  }

  /** A successor goes on in the standing of the one that died. False: there is nothing to succeed to. */
  succeed(name: NodeName): boolean {
    const plane = this.planes[name]
    if (!plane.isOrphan) return false
    plane.isOrphan = false
    if (plane.mode === 'alone') this.#release(name)
    return true
  }

  #write(name: NodeName, plane: Plane): void {
    this.#writes += 1
    const write = this.#writes
    const node = this.hooks.node(name)
    node.data.add(write)
    const { link } = plane
    if (plane.mode === 'alone' || link === undefined) {
      this.hooks.acknowledged(name, write)
      return
    }
    plane.pending.add(write)
    this.#ship(node, link, write)
  }

  #ship(node: SimNode, link: Link, write: number): void {
    const { random } = node.sim
    const follower = this.hooks.node(other(node.name))
    follower.later('plane', random.integer(1, 5), () => {
      if (!link.isOpen[follower.name]) return
      if (!this.hooks.flowPasses(node.name)) {
        // Sent again by TCP as long as both ends believe in the connection.
        if (link.isOpen[node.name]) node.later('plane', 300, () => this.#ship(node, link, write))
        return
      }
      follower.data.add(write)
      const { unsynced } = this.planes[follower.name]
      unsynced.add(write)
      follower.later('plane', random.integer(0, 3), () => {
        unsynced.delete(write)
        if (link.isOpen[follower.name]) this.#confirm(node, link, write)
      })
    })
  }

  #confirm(node: SimNode, link: Link, write: number): void {
    node.later('plane', node.sim.random.integer(1, 5), () => {
      if (!link.isOpen[node.name]) return
      if (!this.hooks.flowPasses(other(node.name))) {
        node.later('plane', 300, () => this.#confirm(node, link, write))
        return
      }
      if (this.planes[node.name].pending.delete(write)) this.hooks.acknowledged(node.name, write)
    })
  }

  #release(name: NodeName): void {
    const plane = this.planes[name]
    for (const write of plane.pending) this.hooks.acknowledged(name, write)
    plane.pending.clear()
    const isParked = plane.parked > 0
    plane.parked = 0
    if (isParked) this.write(name)
  }

  // The link

  #connect(name: NodeName, epoch: number, full: boolean): void {
    const mine = this.planes[name]
    const server = other(name)
    const theirs = this.planes[server]
    const isWanted = mine.mode === 'following' && mine.epoch === epoch && mine.link === undefined
    if (!isWanted) return
    const isReachable =
      this.hooks.flowPasses(name) &&
      this.hooks.flowPasses(server) &&
      this.hooks.node(server).isAwake('plane')
    if (!isReachable || !theirs.admits || theirs.epoch !== epoch || theirs.link !== undefined) {
      this.hooks.tell(name, { kind: 'linkLost', epoch, cause: 'could not connect' })
      return
    }
    const { now } = this.hooks.node(name).sim.agenda
    const link: Link = {
      epoch,
      server,
      phase: 'copying',
      isOpen: { a: true, b: true },
      heardAt: { a: now, b: now },
    }
    mine.link = link
    theirs.link = link
    theirs.admits = false
    this.hooks.overwriting(server, name, full)
    for (const one of nodeNames) this.#watch(this.hooks.node(one), link)
    this.#copy(link)
  }

  /** Bulk while the application runs; then a moment in which its writes wait; then live. */
  #copy(link: Link): void {
    const server = this.hooks.node(link.server)
    const follower = this.hooks.node(other(link.server))
    const copyMs = this.copyMs ?? server.sim.random.integer(50, 2_500)
    const whenOpen = (node: SimNode, delayMs: number, then: () => void): void =>
      node.later('plane', delayMs, () => {
        if (!link.isOpen[node.name]) return
        if (this.hooks.flowPasses(other(node.name))) then()
        else whenOpen(node, 300, then)
      })
    whenOpen(server, copyMs, () => {
      link.phase = 'last'
      whenOpen(follower, server.sim.random.integer(1, 40), () => {
        follower.data = new Set(server.data)
        whenOpen(server, server.sim.random.integer(1, 10), () => {
          this.#becomeLive(link)
          whenOpen(follower, server.sim.random.integer(1, 20), () => {
            this.hooks.tell(follower.name, { kind: 'copyFinished', epoch: link.epoch })
          })
        })
      })
    })
  }

  #becomeLive(link: Link): void {
    const plane = this.planes[link.server]
    link.phase = 'live'
    plane.mode = 'live'
    // What waited since an older link was found by the copy: both trees have it.
    this.#release(link.server)
    this.hooks.tell(link.server, { kind: 'copyFinished', epoch: link.epoch })
  }

  /** Keep-alives: an end that hears nothing for the time-out gives the link up. */
  #watch(node: SimNode, link: Link): void {
    node.later('plane', pulseMs, () => {
      if (!link.isOpen[node.name]) return
      const peer = this.hooks.node(other(node.name))
      const isHeard =
        this.hooks.flowCarries(peer.name) && link.isOpen[peer.name] && peer.isAwake('plane')
      const { now } = node.sim.agenda
      if (isHeard) link.heardAt[node.name] = now
      else if (now - link.heardAt[node.name] > timeoutMs) {
        this.#close(link, node.name, 'nothing was heard for the time-out')
        this.#hangUp(link, node.name, 'the other side gave it up')
        return
      }
      this.#watch(node, link)
    })
  }

  #closeOwn(name: NodeName, whyThere: string): void {
    const { link } = this.planes[name]
    if (link === undefined) return
    this.#close(link, name, 'ended here')
    this.#hangUp(link, name, whyThere)
  }

  /** One end is closed: what that means on its node, and its daemon hears of it. */
  #close(link: Link, name: NodeName, cause: string): void {
    if (!link.isOpen[name]) return
    const plane = this.planes[name]
    this.#spoil(name, link)
    link.isOpen[name] = false
    plane.link = undefined
    if (name === link.server) {
      if (plane.mode === 'live') plane.mode = 'held'
      if (plane.mode === 'alone' && plane.parked > 0) this.#release(name)
    }
    this.hooks.tell(name, { kind: 'linkLost', epoch: link.epoch, cause })
  }

  /** The other end hears of the end as soon as a packet can get there. */
  #hangUp(link: Link, from: NodeName, cause: string): void {
    const peer = this.hooks.node(other(from))
    if (!link.isOpen[peer.name] || !this.hooks.flowPasses(from)) return
    peer.later('plane', peer.sim.random.integer(1, 40), () => this.#close(link, peer.name, cause))
  }

  /** A copy that ends early leaves a tree that is neither the old nor the new one. */
  #spoil(name: NodeName, link: Link): void {
    if (name === link.server || link.phase === 'live') return
    const node = this.hooks.node(name)
    const { random } = node.sim
    const theirs = this.hooks.node(link.server).data
    const mixed = new Set<number>()
    for (const write of node.data) if (random.chance(0.5)) mixed.add(write)
    for (const write of theirs) if (random.chance(0.5)) mixed.add(write)
    node.data = mixed
  }
}

function idlePlane(): Plane {
  return {
    mode: 'idle',
    epoch: 0,
    admits: false,
    link: undefined,
    pending: new Set(),
    unsynced: new Set(),
    parked: 0,
    refuses: false,
    isOrphan: false,
  }
}
