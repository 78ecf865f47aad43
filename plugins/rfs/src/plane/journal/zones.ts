/** Numbers of zones of one file: most files have one, a database file may have a million. */

/** Up to so many numbers are kept in a plain list; beyond, as bits. */
const LIST_MAX = 16
const CHUNK_BITS = 1024

export class ZoneSet {
  #one = -1
  #few: number[] | undefined
  #bits: Map<number, Uint32Array> | undefined
  #size = 0

  get size(): number {
    return this.#size
  }

  /** True when the zone is new. */
  add(zone: number): boolean {
    const added = this.#add(zone)
    if (added) this.#size += 1
    return added
  }

  /** Ascending. */
  list(): number[] {
    if (this.#bits !== undefined) return listOfBits(this.#bits)
    if (this.#few !== undefined) return this.#few.toSorted((a, b) => a - b)
    return this.#size === 0 ? [] : [this.#one]
  }

  /** Ascending runs of neighbouring zones. */
  *runs(): Generator<readonly [first: number, count: number]> {
    let first = -1
    let count = 0
    for (const zone of this.list()) {
      if (zone === first + count && count > 0) count += 1
      else {
        if (count > 0) yield [first, count]
        first = zone
        count = 1
      }
    }
    if (count > 0) yield [first, count]
  }

  #add(zone: number): boolean {
    if (this.#bits !== undefined) return setBit(this.#bits, zone)
    if (this.#few !== undefined) {
      if (this.#few.includes(zone)) return false
      this.#few.push(zone)
      if (this.#few.length > LIST_MAX) this.#becomeBits(this.#few)
      return true
    }
    if (this.#size === 0) this.#one = zone
    else if (this.#one === zone) return false
    else this.#few = [this.#one, zone]
    return true
  }

  #becomeBits(zones: readonly number[]): void {
    this.#bits = new Map()
    for (const zone of zones) setBit(this.#bits, zone)
    this.#few = undefined
  }
}

function setBit(bits: Map<number, Uint32Array>, zone: number): boolean {
  const index = Math.floor(zone / CHUNK_BITS)
  let chunk = bits.get(index)
  if (chunk === undefined) bits.set(index, (chunk = new Uint32Array(CHUNK_BITS / 32)))
  const within = zone - index * CHUNK_BITS
  const word = chunk[within >>> 5] ?? 0
  const mask = 1 << (within & 31)
  if ((word & mask) !== 0) return false
  chunk[within >>> 5] = word | mask
  return true
}

function listOfBits(bits: Map<number, Uint32Array>): number[] {
  const zones: number[] = []
  for (const index of [...bits.keys()].sort((a, b) => a - b)) {
    const chunk = bits.get(index) ?? []
    chunk.forEach((word, at) => {
      for (let bit = 0; bit < 32; bit += 1) {
        if ((word & (1 << bit)) !== 0) zones.push(index * CHUNK_BITS + at * 32 + bit)
      }
    })
  }
  return zones
}
