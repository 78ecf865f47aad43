/** A checker watches one thing and says what it sees; the failover rules decide what follows. */
import { point } from './token.js'
import type { Verdict } from './verdict.js'

/** `init`: not looked at yet. `unknown`: looked at, and it can't be said. */
export type ResourceValue = 'init' | 'up' | 'down' | 'unknown'

/**
 * When a checker runs. `pre`: from before the data comes up until the module is stopped, also in WAIT.
 * `prim`: while this node serves (PRIM, ALONE), after the start scripts until before the stop scripts.
 * `second`: while it is SECOND. `both`: while it serves or is SECOND.
 */
export type CheckerPhase = 'pre' | 'prim' | 'second' | 'both'

/** What a failover rule does to the module on this node. */
export type RuleAction = 'restart' | 'stopstart' | 'stop' | 'wait' | 'swap'

/**
 * Contributed under the name of its resource, `tcp.web`: class, dot, identity; that name stands in the rules. The host of
 * the rules needs `live(checker)`, so that it has the names, and goes on when a checker is configured anew.
 */
export interface Checker {
  readonly when: CheckerPhase
  /**
   * The rule that this checker brings: `t_web: if (tcp.web == down) then restart();`. Undefined: only the rules of its
   * class, or the operator's, look at the resource. `routine`: what it orders is part of a plan, maxloop does not count it.
   */
  readonly rule:
    { readonly label: string; readonly action: RuleAction; readonly routine?: boolean } | undefined
  /**
   * Begins to watch and returns at once; `report` is told the value again and again, at least at each look, with
   * one sentence why. Nothing is reported after `stop` was called. A refusal makes the resource `unknown` and is shown.
   */
  start(report: (value: 'up' | 'down' | 'unknown', cause: string) => void): Promise<Verdict>
  /** Ends what it began (processes, sockets, timers). Safe to call when it never started. Start may follow. */
  stop(): Promise<void>
}

export const checker = point<Checker>('point.checker')

/** The cause of an order that a rule gives, as it stands in states, logs and the transition that follows. */
export function causeOfRule(label: string, why: string): string {
  return `rule ${label}: ${why}`
}

/** The label in such a cause; undefined: something else is the cause. */
export function ruleOfCause(cause: string): string | undefined {
  return /^rule (.+?): /.exec(cause)?.[1]
}
