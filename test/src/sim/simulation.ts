/** What every part of a simulated world shares: time, chance, and what is kept for people to read. */
import type { Agenda } from './agenda.js'
import type { Random } from './random.js'

export interface Simulation {
  readonly agenda: Agenda
  readonly random: Random
  /** Undefined in a sweep: a history that failed is run again with it. */
  readonly trace: Trace | undefined
}

const linesMax = 20_000

/** The story of one history, a line an event. */
export class Trace {
  readonly lines: string[] = []

  note(atMs: number, node: string, what: string): void {
    this.lines.push(`${String(atMs).padStart(7)} ${node.padEnd(1)} ${what}`)
    if (this.lines.length > linesMax) this.lines.splice(0, linesMax / 2)
  }
}
