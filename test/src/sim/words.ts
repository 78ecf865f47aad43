/** Lines that do something to a simulated world: each machine has its own words, and one way to read them. */
import { HoldfastError } from '@holdfast/sdk'

export interface Verb<World> {
  readonly pattern: RegExp
  readonly example: string
  run(world: World, match: RegExpExecArray): void | Promise<void>
}

/** Does what the line says. Throws E_SIM_LINE for a line that says nothing known. */
export function performLine<World>(
  verbs: readonly Verb<World>[],
  world: World,
  line: string,
): void | Promise<void> {
  for (const verb of verbs) {
    const match = verb.pattern.exec(line)
    if (match !== null) return verb.run(world, match)
  }
  throw new HoldfastError('E_SIM_LINE', `"${line}" is not something that can be done`, {
    hint: `known are: ${examplesOf(verbs)}`,
  })
}

export function examplesOf<World>(verbs: readonly Verb<World>[]): string {
  return verbs.map(({ example }) => example).join(' | ')
}

/** Milliseconds of a pattern like `(\\d+)(ms|s)`. */
export function msOf(count: string | undefined, unit: string | undefined): number {
  return Number(count) * (unit === 's' ? 1_000 : 1)
}

/** Draws lines: each kind as often as its weight says, with a wait after each. */
export type Kind<Random> = readonly [weight: number, lines: (random: Random) => readonly string[]]

export function expanded<Random>(kinds: readonly Kind<Random>[]): readonly Kind<Random>[1][] {
  return kinds.flatMap(([weight, lines]) => Array<Kind<Random>[1]>(weight).fill(lines))
}
