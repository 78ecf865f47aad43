/**
 * The names of one directory that the other side has not told yet: what is left of them in the end has to go. Of a directory with very many
 * only hashes are kept, and it is listed again in the end: a million names of 200 bytes would take 300 MB.
 */
import { hash } from 'node:crypto'
import type { BytePath } from '../resync-port.js'
import { namesOf } from './tree.js'

/** Up to here the names themselves are kept: that is quicker. */
const NAMES_MAX = 10_000

/** The names that a directory had when it was begun. What comes into it later is none of them. */
export interface UntoldNames {
  /** This name is told: it is none of them any more. Returns its kind, as the directory says; undefined: there was none. */
  take(name: BytePath): number | undefined
  rest(): Iterable<BytePath>
}

/**
 * `onStep`: called again and again, for very many take longer than the peer is patient. `most`: a test wants to see both ways. Throws
 * TreeError.
 */
export function untoldNames(
  directory: number,
  path: BytePath,
  onStep: () => void,
  most = NAMES_MAX,
): UntoldNames {
  const few = new Map<BytePath, number>()
  let many: HashedNames | undefined
  for (const { name, type } of namesOf(directory, path)) {
    if (many === undefined) few.set(name, type)
    else many.add(name, type)
    if (few.size <= most) continue
    many = new HashedNames(directory, path, onStep)
    for (const [one, kind] of few) many.add(one, kind)
    few.clear()
  }
  return many ?? new ListedNames(few)
}

class ListedNames implements UntoldNames {
  constructor(readonly names: Map<BytePath, number>) {}

  take(name: BytePath): number | undefined {
    const kind = this.names.get(name)
    this.names.delete(name)
    return kind
  }

  rest(): Iterable<BytePath> {
    return this.names.keys()
  }
}

/** Words of 32 bits of the hash of a name. Of 128 bits, as of the content of files, nobody finds two that are alike. */
const WORDS = 4
const CAPACITY_FIRST = 32_768
/** What stands in a place of the table: nothing, a name that was told, or a name that was not, with its kind (at most 15). */
const STATE = { FREE: 0, TOLD: 1, UNTOLD: 2 } as const
const wanted = new Uint32Array(WORDS)

/** An open table of hashes; nothing is taken out of it. */
class HashedNames implements UntoldNames {
  #hashes = new Uint32Array(CAPACITY_FIRST * WORDS)
  #states = new Uint8Array(CAPACITY_FIRST)
  #used = 0
  #untold = 0

  constructor(
    readonly directory: number,
    readonly path: BytePath,
    readonly onStep: () => void,
  ) {}

  add(name: BytePath, kind: number): void {
    this.onStep()
    if (this.#used * 2 > this.#states.length) this.#grow()
    hashInto(wanted, name)
    const at = this.#find()
    // A directory that changes while it is listed may show a name twice.
    if (this.#states[at] !== STATE.FREE) return
    this.#hashes.set(wanted, at * WORDS)
    this.#states[at] = STATE.UNTOLD + kind
    this.#used += 1
    this.#untold += 1
  }

  take(name: BytePath): number | undefined {
    hashInto(wanted, name)
    const at = this.#find()
    const state = this.#states[at] ?? STATE.FREE
    if (state < STATE.UNTOLD) return undefined
    this.#states[at] = STATE.TOLD
    this.#untold -= 1
    return state - STATE.UNTOLD
  }

  *rest(): Iterable<BytePath> {
    if (this.#untold === 0) return
    for (const { name } of namesOf(this.directory, this.path)) {
      this.onStep()
      hashInto(wanted, name)
      if ((this.#states[this.#find()] ?? STATE.FREE) >= STATE.UNTOLD) yield name
    }
  }

  /** The place of what is wanted, or the free one where it belongs. */
  #find(): number {
    const mask = this.#states.length - 1
    let at = (wanted[0] ?? 0) & mask
    while (this.#states[at] !== STATE.FREE && !this.#isWanted(at)) at = (at + 1) & mask
    return at
  }

  #isWanted(at: number): boolean {
    const first = at * WORDS
    for (let word = 0; word < WORDS; word += 1) {
      if (this.#hashes[first + word] !== wanted[word]) return false
    }
    return true
  }

  #grow(): void {
    const [hashes, states] = [this.#hashes, this.#states]
    this.#hashes = new Uint32Array(hashes.length * 2)
    this.#states = new Uint8Array(states.length * 2)
    states.forEach((state, from) => {
      if (state === STATE.FREE) return
      wanted.set(hashes.subarray(from * WORDS, from * WORDS + WORDS))
      const at = this.#find()
      this.#hashes.set(wanted, at * WORDS)
      this.#states[at] = state
    })
  }
}

function hashInto(words: Uint32Array, name: BytePath): void {
  const digest = hash('sha256', Buffer.from(name, 'latin1'), 'buffer')
  for (let word = 0; word < WORDS; word += 1) words[word] = digest.readUInt32LE(word * 4)
}
