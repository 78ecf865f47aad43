/** What a failover rule says, once it is parsed. */
import type { ResourceValue, RuleAction } from '@holdfast/sdk'

/** `tcp.web`, `remote.ping.gateway`; `?` as id: any of the class, `*`: all of it. */
export interface ResourceName {
  readonly side: 'local' | 'remote'
  readonly class: string
  readonly id: string
}

export type Condition =
  | {
      readonly kind: 'compare'
      readonly resource: ResourceName
      readonly equal: boolean
      readonly with: ResourceValue | ResourceName
    }
  | { readonly kind: 'not'; readonly of: Condition }
  | { readonly kind: 'and' | 'or'; readonly left: Condition; readonly right: Condition }

export type Consequence =
  | { readonly kind: 'order'; readonly order: RuleAction; readonly routine?: boolean }
  /** `custom.x = up`: makes several observations one that other rules look at. */
  | { readonly kind: 'set'; readonly name: string; readonly value: ResourceValue }

export interface Rule {
  readonly label: string
  readonly condition: Condition
  readonly then: Consequence
  /** As it was written. */
  readonly text: string
  /** Who brought it: `default`, `operator`, or the resource whose checker did. */
  readonly origin: string
}

/** Not a rule that can be written: it is how `wait()` ends. */
export const wakeupLabel = 'Implicit_wakeup'

/** Something wrong in a text of rules. */
export interface RuleError {
  /** Characters from the beginning of the text. */
  readonly offset: number
  readonly message: string
}

export const resourceValues: readonly ResourceValue[] = ['init', 'down', 'up', 'unknown']
export const ruleActions: readonly RuleAction[] = ['stop', 'stopstart', 'wait', 'restart', 'swap']

export function isWild(name: ResourceName): boolean {
  return name.id === '?' || name.id === '*'
}

/** The name of a resource as tables and messages use it. */
export function textOf(name: ResourceName): string {
  return `${name.side === 'remote' ? 'remote.' : ''}${name.class}.${name.id}`
}
