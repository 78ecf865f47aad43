/** `<custom>` as the schema in plugin.json lets it through, and what it means. Pure. */
import { isAbsolute, join } from 'node:path'
import {
  type CheckEntry,
  entryProblems,
  type ModuleContext,
  type ModuleScripts,
  type Seen,
} from '@holdfast/sdk'

export interface CustomEntry extends CheckEntry {
  readonly exec: string
  readonly arg: string
  readonly mode: 'loop' | 'once'
  /** Seconds, as the next. */
  readonly interval: number
  readonly timeout: number
  readonly retries: number
  readonly up: string
  readonly unknown: string
}

export interface CustomConfig {
  readonly check: { readonly custom: readonly CustomEntry[] }
}

export interface Program {
  readonly path: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly directory: string
}

/** `scripts`: undefined when the module has none. */
export function programOf(
  entry: CustomEntry,
  module: ModuleContext,
  scripts: Pick<ModuleScripts, 'variables'> | undefined,
): Program {
  const directory = join(module.directories.package, 'bin')
  const resource = `custom.${entry.ident}`
  return {
    path: isAbsolute(entry.exec) ? entry.exec : join(directory, entry.exec),
    args: [module.name, resource, ...argumentsOf(entry.arg)],
    // Not HOLDFAST_RUN: a stop would take a checker for a part of the application that was left.
    env: {
      ...scripts?.variables,
      HOLDFAST_MODULE: module.name,
      SAFEMODULE: module.name,
      HOLDFAST_RESOURCE: resource,
    },
    directory,
  }
}

/** Blanks separate; what stands in quotes stays together. No other sign has a meaning: there is no shell. */
export function argumentsOf(text: string): readonly string[] {
  const words = text.matchAll(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g)
  return [...words].map(([word]) => word.replaceAll(/"([^"]*)"|'([^']*)'/g, '$1$2'))
}

export function seenOf(entry: CustomEntry, code: number, output: string): Seen {
  const said = output.trim().split('\n').at(-1)?.slice(0, 200) ?? ''
  const cause = said === '' ? `exit code ${String(code)}` : `exit code ${String(code)}: ${said}`
  if (codesOf(entry.up).includes(code)) return { value: 'up', cause }
  return { value: codesOf(entry.unknown).includes(code) ? 'unknown' : 'down', cause }
}

function codesOf(text: string): readonly number[] {
  return text
    .split(/[ ,]+/)
    .filter((word) => word !== '')
    .map(Number)
}

export interface Finding {
  readonly path: string
  readonly message: string
}

export function problemsOf({ check }: CustomConfig): readonly Finding[] {
  const own = check.custom.flatMap((entry, index): Finding[] => {
    const path = `/check/custom/${String(index)}`
    const quotes = entry.arg.replaceAll(/"[^"]*"|'[^']*'/g, '')
    const open = /["']/.test(quotes)
      ? [{ path: `${path}/arg`, message: 'a quote is opened and not closed' }]
      : []
    const wrong = (['up', 'unknown'] as const).flatMap((attribute) =>
      codesOf(entry[attribute])
        .filter((code) => code > 255)
        .map((code) => ({
          path: `${path}/${attribute}`,
          message: `${String(code)} is no exit code; write 0 to 255`,
        })),
    )
    return [...open, ...wrong]
  })
  return [...entryProblems('/check/custom', check.custom), ...own]
}
