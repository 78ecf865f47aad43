/**
 * Whose rights count while the loop changes a file for a program. The kernel has checked who may; but a full disk and a quota
 * are the file system's business beneath, and it would see only us: root, for whom neither counts.
 */
import { assert } from '@holdfast/sdk'
import { capget, capset, setfsuid } from './libc.js'

/** The right to go beyond quotas and into the blocks that are reserved. */
const CAP_SYS_RESOURCE = 24
const BIT = 2 ** CAP_SYS_RESOURCE
const VERSION_3 = 0x2008_0522
const ROOT = 0
/** Nobody asked: the kernel writes back what was mapped. */
const UNKNOWN = 0xffff_ffff

/** Of the thread that makes it: the loop's. Its workers keep all rights. */
export class Rights {
  readonly #header = Buffer.alloc(8)
  /** Twice (low and high bits) effective, permitted, inheritable. */
  readonly #sets = Buffer.alloc(24)
  #limited = false

  constructor() {
    this.#header.writeUInt32LE(VERSION_3, 0)
    const got = capget(this.#header, this.#sets)
    assert(got === 0, 'a process may read its own rights')
  }

  /** From now on changes are made for this user. Mostly the same one as before: then this costs nothing. */
  actFor(user: number): void {
    this.#limit(user !== ROOT && user !== UNKNOWN)
  }

  /** No changes are made for programs any more. */
  restore(): void {
    this.#limit(false)
  }

  /** What is allocated from now on is allocated by this user, until `allocateAsRoot`. By name nothing can be reached meanwhile. */
  allocateAs(user: number): void {
    if (user !== ROOT && user !== UNKNOWN) setfsuid(user)
  }

  allocateAsRoot(user: number): void {
    if (user !== ROOT && user !== UNKNOWN) setfsuid(ROOT)
  }

  #limit(limited: boolean): void {
    if (limited === this.#limited) return
    this.#limited = limited
    const effective = this.#sets.readUInt32LE(0)
    const permitted = this.#sets.readUInt32LE(4)
    // Not there at all, in some containers: then it can't be given back either.
    if (Math.floor(permitted / BIT) % 2 === 0) return
    const without = Math.floor(effective / BIT) % 2 === 0 ? effective : effective - BIT
    this.#sets.writeUInt32LE(limited ? without : without + BIT, 0)
    const done = capset(this.#header, this.#sets)
    assert(done === 0, 'a process may give up a right and take it back')
  }
}
