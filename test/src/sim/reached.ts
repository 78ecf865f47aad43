/** Which transitions a sweep reached, by name, and how often. */

export class Coverage {
  readonly #counts = new Map<string, number>()

  reached(transition: string): void {
    this.#counts.set(transition, (this.#counts.get(transition) ?? 0) + 1)
  }

  add(counts: Readonly<Record<string, number>>): void {
    for (const [key, count] of Object.entries(counts)) {
      this.#counts.set(key, (this.#counts.get(key) ?? 0) + count)
    }
  }

  counts(): Record<string, number> {
    return Object.fromEntries([...this.#counts].sort(([one], [two]) => (one < two ? -1 : 1)))
  }

  /** Those of `transitions` that were not reached, in their order. */
  unreached(transitions: readonly string[]): string[] {
    return transitions.filter((key) => !this.#counts.has(key))
  }
}
