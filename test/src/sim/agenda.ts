/** Simulated time: what happens when, in one order that depends on nothing but the calls made. */

interface Entry {
  readonly at: number
  readonly order: number
  readonly run: () => void
}

/** A binary heap by time; what was put in first comes out first at the same time. */
export class Agenda {
  now = 0
  /** Events that happened so far. */
  ran = 0
  #order = 0
  readonly #heap: Entry[] = []

  after(delayMs: number, run: () => void): void {
    this.#order += 1
    const entry = { at: this.now + Math.max(0, Math.round(delayMs)), order: this.#order, run }
    this.#rise(entry, this.#heap.length)
  }

  /** Lets everything happen up to `untilMs`, unless it is over before; looks after each event. */
  run(untilMs: number, isOver: () => boolean): void {
    while (!isOver()) {
      const first = this.#heap[0]
      if (first === undefined || first.at > untilMs) {
        this.now = Math.max(this.now, untilMs)
        return
      }
      this.#dropFirst()
      this.now = first.at
      this.ran += 1
      first.run()
    }
  }

  #dropFirst(): void {
    const last = this.#heap.pop()
    if (last !== undefined && this.#heap.length > 0) this.#sink(last)
  }

  #rise(entry: Entry, from: number): void {
    const heap = this.#heap
    let index = from
    while (index > 0) {
      const above = (index - 1) >> 1
      const parent = heap[above]
      if (parent === undefined || isBefore(parent, entry)) break
      heap[index] = parent
      index = above
    }
    heap[index] = entry
  }

  #sink(entry: Entry): void {
    const heap = this.#heap
    let index = 0
    for (;;) {
      const left = 2 * index + 1
      const child = heap[left]
      if (child === undefined) break
      const sibling = heap[left + 1]
      const useRight = sibling !== undefined && isBefore(sibling, child)
      const smaller = useRight ? sibling : child
      if (isBefore(entry, smaller)) break
      heap[index] = smaller
      index = useRight ? left + 1 : left
    }
    heap[index] = entry
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
