/** The failover plugin's part of `userconfig.xml`, as the schema in plugin.json lets it through. */
import { readRules } from './language/rule-set.js'

export interface FailoverSettings {
  /** Undefined: no such element; rules come from the checkers and from Holdfast. */
  readonly failover?: {
    readonly extends: boolean
    readonly period: number
    readonly handle_time?: number
    readonly $text?: string
  }
}

interface Finding {
  readonly path: string
  readonly offset?: number
  readonly message: string
}

/** Asked on every node before anything is applied. Each error names the character of the rules that is meant. */
export function check(
  settings: FailoverSettings,
  context: { readonly nodes: readonly string[] },
): { errors: readonly Finding[]; warnings: readonly Finding[] } {
  const text = settings.failover?.$text ?? ''
  const { errors } = readRules(text, { nodes: context.nodes.length })
  const path = '/failover/$text'
  return {
    errors: errors.map(({ offset, message }) => ({ path, offset, message })),
    warnings: [],
  }
}
