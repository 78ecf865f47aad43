/**
 * Files that lost their last name (or never had one) while programs have them open: only a descriptor keeps them in existence.
 * Were they to end with this process, the file system would give their inode numbers, by which the kernel knows
 * them, to other files. So a second descriptor of each lies in the queue of a socket that the keeper holds: sent,
 * and received by nobody but a successor.
 */
import { assert } from '@holdfast/sdk'
import { E, SOCKET, addressOf, close, recvmsg, sendmsg, setsockopt, socketpair } from './libc.js'
import { StatBuffer } from './stat.js'
import type { Node } from './nodes.js'
import type { Volume } from './volume.js'

const QUEUE_BYTES = 16 * 1024 * 1024
/** As long as less than this part of the queue is not needed any more, taking it out would cost more than it is worth. */
const UNNEEDED_PART = 8
/** Volume, kind (1: may still get a name), node id. */
const PAYLOAD = 16
const HEADER = 56
const CONTROL = 24

/** A file as it was found in the queue. */
export interface Nameless {
  readonly volume: number
  readonly id: number
  readonly linkable: boolean
  readonly type: number
  readonly fd: number
}

export class NamelessFiles {
  /** The end with the queue, for the keeper. */
  readonly queue: number
  readonly #entrance: number
  readonly #message = new Message()
  /** Files in the queue that are still needed, and entries in it altogether. */
  readonly #needed = new Map<Node, Volume>()
  #entries = 0

  constructor() {
    const pair = Buffer.alloc(8)
    const made = socketpair(SOCKET.UNIX, SOCKET.STREAM | SOCKET.NONBLOCK | SOCKET.CLOEXEC, 0, pair)
    assert(made >= 0, 'a process that starts has room for two descriptors')
    this.queue = pair.readInt32LE(0)
    this.#entrance = pair.readInt32LE(4)
    const size = Buffer.alloc(4)
    size.writeInt32LE(QUEUE_BYTES, 0)
    setsockopt(this.#entrance, SOCKET.SOL_SOCKET, SOCKET.SNDBUFFORCE, size, 4)
  }

  /** To be called before the last name goes. False: there is no room, a successor could not go on. */
  add(volume: Volume, node: Node): boolean {
    if (node.fd < 0 || node.lookups === 0 || this.#needed.has(node)) return true
    if (this.#message.send(this.#entrance, volume.index, node) < 0) return false
    this.#needed.set(node, volume)
    this.#entries++
    return true
  }

  /** The kernel does not know it any more, or it has a name (again). */
  remove(node: Node): void {
    this.#needed.delete(node)
  }

  /** Lets go of what is not needed any more, soon enough that nobody misses its space on the disk. False: as for `add`. */
  settle(): boolean {
    const unneeded = this.#entries - this.#needed.size
    if (unneeded * UNNEEDED_PART <= this.#needed.size) return true
    const former = this.#entries
    const needed = [...this.#needed]
    this.#needed.clear()
    // Put in again before the former entries are taken out: this process may end at any moment.
    const done = needed.every(([node, volume]) => this.add(volume, node))
    const taken = this.#message.receive(this.queue, former)
    for (const { fd } of taken) close(fd)
    this.#entries -= taken.length
    return done
  }

  close(): void {
    close(this.queue)
    close(this.#entrance)
  }

  /** What a data plane that died left in its queue. Those that have a name after all are left out. */
  static take(queue: number): Nameless[] {
    const stat = new StatBuffer()
    const seen = new Set<string>()
    return new Message().receive(queue, Infinity).filter((one) => {
      const key = `${one.volume}:${one.id}`
      const isNameless = stat.ofDescriptor(one.fd) === 0 && stat.links === 0 && !seen.has(key)
      if (isNameless) seen.add(key)
      else close(one.fd)
      return isNameless
    })
  }
}

/** struct msghdr with one iovec and room for one descriptor, laid out once. */
class Message {
  readonly #payload = Buffer.alloc(PAYLOAD)
  readonly #vector = Buffer.alloc(16)
  readonly #control = Buffer.alloc(CONTROL)
  readonly #header = Buffer.alloc(HEADER)

  constructor() {
    this.#vector.writeBigUInt64LE(BigInt(addressOf(this.#payload)), 0)
    this.#vector.writeBigUInt64LE(BigInt(PAYLOAD), 8)
    this.#header.writeBigUInt64LE(BigInt(addressOf(this.#vector)), 16)
    this.#header.writeBigUInt64LE(1n, 24)
    this.#header.writeBigUInt64LE(BigInt(addressOf(this.#control)), 32)
  }

  send(socket: number, volume: number, node: Node): number {
    this.#payload.writeUInt16LE(volume, 0)
    this.#payload.writeUInt16LE(node.linkable ? 1 : 0, 2)
    this.#payload.writeUInt32LE(node.type, 4)
    this.#payload.writeDoubleLE(node.id, 8)
    // cmsghdr: length, level, SCM_RIGHTS; then the descriptor.
    this.#control.writeBigUInt64LE(20n, 0)
    this.#control.writeUInt32LE(SOCKET.SOL_SOCKET, 8)
    this.#control.writeUInt32LE(SOCKET.SCM_RIGHTS, 12)
    this.#control.writeInt32LE(node.fd, 16)
    this.#header.writeBigUInt64LE(BigInt(CONTROL), 40)
    return sendmsg(socket, this.#header, SOCKET.NOSIGNAL)
  }

  /** As many as there are, up to `most`. */
  receive(socket: number, most: number): Nameless[] {
    const all: Nameless[] = []
    while (all.length < most) {
      this.#header.writeBigUInt64LE(BigInt(CONTROL), 40)
      const got = recvmsg(socket, this.#header, SOCKET.CMSG_CLOEXEC)
      if (got === -E.INTR) continue
      if (got !== PAYLOAD || this.#header.readBigUInt64LE(40) === 0n) return all
      all.push({
        volume: this.#payload.readUInt16LE(0),
        linkable: this.#payload.readUInt16LE(2) === 1,
        type: this.#payload.readUInt32LE(4),
        id: this.#payload.readDoubleLE(8),
        fd: this.#control.readInt32LE(16),
      })
    }
    return all
  }
}
