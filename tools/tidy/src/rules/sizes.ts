/** Limits that keep a file one noun and a function one thought. What was over them before is on a list that shrinks. */
import type { SourceFacts } from '../facts.js'
import type { Problem } from '../problem.js'
import type { Ratchet } from '../repository.js'
import { isTest } from './shared.js'

export const fileLinesMax = 400
export const functionLinesMax = 60

/** What is over a limit, by rule and place: the form of the list itself. */
export function measure(sources: readonly SourceFacts[]): Ratchet {
  const files: Record<string, number> = {}
  const functions: Record<string, number> = {}
  const assertions: Record<string, number> = {}
  for (const source of sources) {
    if (source.lines > fileLinesMax) files[source.path] = source.lines
    if (isTest(source.path)) continue
    if (source.bareAssertions.length > 0) assertions[source.path] = source.bareAssertions.length
    for (const { name, lines } of source.functions) {
      const key = `${source.path} ${name}`
      if (lines > functionLinesMax) functions[key] = Math.max(lines, functions[key] ?? 0)
    }
  }
  return { 'file-lines': files, 'function-lines': functions, 'bare-assertions': assertions }
}

export function sizeProblems(sources: readonly SourceFacts[], allowed: Ratchet): Problem[] {
  return Object.entries(measure(sources)).flatMap(([rule, found]) =>
    Object.entries(found)
      .filter(([place, size]) => size > (allowed[rule]?.[place] ?? 0))
      .map(([place, size]) => {
        const [path = '', name = ''] = place.split(' ', 2)
        const line = lineOf(sources, path, rule, name)
        return { rule, path, line, message: messageFor(rule, name, size, allowed[rule]?.[place]) }
      }),
  )
}

/** The list with everything that became smaller or went away; never larger, never longer. */
export function shrink(allowed: Ratchet, found: Ratchet): Ratchet {
  return Object.fromEntries(
    Object.entries(allowed).map(([rule, places]) => [
      rule,
      Object.fromEntries(
        Object.entries(places).flatMap(([place, size]) => {
          const now = found[rule]?.[place]
          return now === undefined ? [] : [[place, Math.min(size, now)]]
        }),
      ),
    ]),
  )
}

function messageFor(rule: string, name: string, size: number, allowed: number | undefined): string {
  const grown =
    allowed === undefined ? '' : ` (it was ${String(allowed)} on the list, which may only shrink)`
  switch (rule) {
    case 'file-lines':
      return `${String(size)} lines; at most ${String(fileLinesMax)}${grown}: split it by nouns`
    case 'function-lines':
      return `${name} has ${String(size)} lines; at most ${String(functionLinesMax)}${grown}: name its steps`
    default:
      return `${String(size)} type assertions without a comment${grown}: say why each holds, or remove it`
  }
}

function lineOf(sources: readonly SourceFacts[], path: string, rule: string, name: string): number {
  const source = sources.find((one) => one.path === path)
  if (rule === 'bare-assertions') return source?.bareAssertions[0] ?? 1
  return (
    source?.functions.find((one) => one.name.startsWith(name) && one.lines > functionLinesMax)
      ?.line ?? 1
  )
}
