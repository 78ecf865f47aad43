/** Which keys a journal must still have: an account of its own, of what was said to be on the store before a change was made. */
import { decodeInto, Keys, type KeySet } from '@holdfast/plugin-rfs/decisions'

export interface Key {
  readonly kind: 'entry' | 'zone' | 'meta'
  readonly path: string
  readonly zone: number
}

interface Noted extends Key {
  readonly window: number
}

export class Account {
  violation: string | undefined
  /** What a successor must find, if it finds a journal that it can trust. */
  #kept: Noted[] = []
  /** In memory only. */
  #fresh: Noted[] = []
  #set: Key[] | undefined
  #window = 1

  violated(what: string): void {
    this.violation ??= what
  }

  get size(): number {
    return this.#kept.length
  }

  touched(key: Key): void {
    this.#fresh.push({ ...key, window: this.#window })
    this.#set?.push(key)
  }

  flushed(): void {
    this.#kept.push(...this.#fresh)
    this.#fresh = []
  }

  windowOpened(number: number): void {
    this.#window = number
  }

  dropped(before: number): void {
    this.#kept = this.#kept.filter(({ window }) => window >= before)
    this.#fresh = this.#fresh.filter(({ window }) => window >= before)
  }

  setBegun(): void {
    this.#set = []
  }

  setTaken(taken: KeySet): void {
    if (this.#set !== undefined) this.#mustCover(taken, this.#set, 'the set of a round')
    this.#set = []
  }

  seen(snapshot: KeySet): void {
    this.#mustCover(snapshot, [...this.#kept, ...this.#fresh], 'the journal')
  }

  /** A successor opened what was left. */
  found(trusted: boolean, snapshot: KeySet): void {
    if (trusted) this.#mustCover(snapshot, this.#kept, 'a journal that is trusted')
    else this.#kept = []
    this.#fresh = []
    this.#set = undefined
  }

  #mustCover(encoded: KeySet, keys: readonly Key[], what: string): void {
    const held = new Keys({ fold: false })
    decodeInto(encoded, held)
    const isHeld = lookUp(held)
    const missing = keys.find((key) => !isHeld(key))
    if (missing === undefined) return
    this.violated(`${what} lacks the ${missing.kind} key of ${missing.path.slice(0, 20)}`)
  }
}

/** A zone or attributes are told by an entry key of the file, or of a directory above, as well. */
function lookUp(held: Keys): (key: Key) => boolean {
  const entries = new Set<string>()
  const metas = new Set<string>()
  const zones = new Set<string>()
  held.visit({
    entry: (_volume, path) => entries.add(path),
    meta: (_volume, path) => metas.add(path),
    // Nobody else changes anything here.
    names: () => undefined,
    zones: (_volume, path, of) => {
      for (const zone of of.list()) zones.add(`${path}#${zone}`)
    },
  })
  return ({ kind, path, zone }) => {
    const isTold = entries.has(path) || held.covers(0, path)
    if (kind === 'entry') return isTold
    return isTold || (kind === 'meta' ? metas.has(path) : zones.has(`${path}#${zone}`))
  }
}
