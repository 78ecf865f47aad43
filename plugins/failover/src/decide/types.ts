/** The words of the failover machine: what it knows, what it hears, what it orders. */
import type {
  CheckerPhase,
  LogLevel,
  OperatorCommand,
  ResourceValue,
  RoleName,
  RuleAction,
  SubState,
  Verdict,
} from '@holdfast/sdk'
import type { Rule } from '../language/rule.js'

export interface Past {
  readonly value: ResourceValue
  readonly atMs: number
  readonly cause: string
}

/** One thing that is watched. Milliseconds named `wall` are for people, the others of a clock that never jumps. */
export interface Resource {
  readonly name: string
  readonly value: ResourceValue
  readonly cause: string
  /** Who said so: `checker`, `module`, or whoever set it. */
  readonly by: string
  readonly sinceWallMs: number
  /** Times of the last changes between values that were seen. */
  readonly changesMs: readonly number[]
  /** It was up since it is watched: a resource that begins with `down` may only be slow to begin. */
  readonly wasUp: boolean
  /** Oldest first; the last one is the present value. */
  readonly history: readonly Past[]
}

export type Truth = 'true' | 'false' | 'open'

export interface Input {
  /** `tcp.web`, `remote.tcp.web`. */
  readonly name: string
  readonly value: ResourceValue
}

export interface Evaluation {
  /** `open`: a resource that decides was not looked at yet. */
  readonly truth: Truth
  /** The resources that make it so. */
  readonly because: readonly Input[]
}

export interface RuleState extends Evaluation {
  /** Since when `truth` is what it is. */
  readonly sinceMs: number
  readonly fired: Fired | undefined
}

export interface Fired {
  readonly atMs: number
  readonly atWallMs: number
  /** Undefined: not answered yet. */
  readonly verdict: Verdict | undefined
}

/** One thing that a rule did, or `wait` and `wakeup` around the first looks. */
export interface PastAction {
  readonly label: string
  readonly action: RuleAction | 'set' | 'wakeup'
  readonly cause: string
  readonly atWallMs: number
  /** Undefined: not answered, by this daemon or by one before it. */
  readonly verdict: Verdict | undefined
}

export interface Place {
  readonly role: RoleName
  readonly sub: SubState
  /** When it became Ready in this role; undefined: it is not. */
  readonly readyMs: number | undefined
}

/** This module waits because a rule says so (`rule`), or because a first look is missing (`look`). */
export interface Held {
  readonly by: 'rule' | 'look'
  readonly label: string
}

export interface State {
  /** `handle_time`, when the operator wrote it. */
  readonly handleTimeMs: number | undefined
  readonly rules: readonly Rule[]
  readonly checkers: ReadonlyMap<string, CheckerPhase>
  /** `checker on|off`. */
  readonly enabled: boolean
  readonly watching: ReadonlySet<string>
  /** Watched, and nothing was reported since. */
  readonly awaited: ReadonlySet<string>
  readonly place: Place
  readonly local: ReadonlyMap<string, Resource>
  /** Undefined: the other node says nothing. */
  readonly remote: ReadonlyMap<string, Resource> | undefined
  readonly ruleStates: ReadonlyMap<string, RuleState>
  readonly held: Held | undefined
  /** Oldest first; also over a stop and a restart of the daemon. */
  readonly past: readonly PastAction[]
  /** Label of the order that is not answered yet: only one at a time. */
  readonly ordering: string | undefined
  /** An order was accepted and the module has not moved yet: until then, or until it does, nothing more is ordered. */
  readonly settlingUntilMs: number | undefined
}

export interface Report {
  readonly name: string
  readonly value: ResourceValue
  readonly cause: string
  readonly by: string
}

export type Fact =
  | { readonly kind: 'reported'; readonly reports: readonly Report[] }
  | { readonly kind: 'moduleChanged'; readonly role: RoleName; readonly sub: SubState }
  | { readonly kind: 'remoteTold'; readonly values: ReadonlyMap<string, ResourceValue> }
  | { readonly kind: 'remoteLost' }
  | {
      readonly kind: 'rulesChanged'
      readonly rules: readonly Rule[]
      readonly checkers: ReadonlyMap<string, CheckerPhase>
      /** The same name, another instance: it is watched anew. */
      readonly replaced: readonly string[]
    }
  | { readonly kind: 'switched'; readonly enabled: boolean }
  | { readonly kind: 'answered'; readonly label: string; readonly verdict: Verdict }
  | { readonly kind: 'timeUp' }

export interface Event {
  readonly fact: Fact
  readonly nowMs: number
  readonly wallMs: number
}

export type Action =
  | { readonly kind: 'watch'; readonly name: string }
  | { readonly kind: 'unwatch'; readonly name: string }
  /** Answered by `answered`. */
  | {
      readonly kind: 'order'
      readonly label: string
      readonly command: OperatorCommand
      readonly cause: string
      /** Not counted by maxloop. */
      readonly routine?: boolean
    }
  /** `timeUp` after the time; the newest replaces the one before. */
  | { readonly kind: 'arm'; readonly delayMs: number }
  | {
      readonly kind: 'note'
      readonly level: LogLevel
      readonly event: string
      readonly fields: Readonly<Record<string, unknown>>
    }

export interface Step {
  readonly next: State
  readonly actions: readonly Action[]
}
