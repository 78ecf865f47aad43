/** The words of the light machine: what it knows, what it hears, what it orders. */
import type { OperatorCommand, TransitionAction, Verdict } from '@holdfast/sdk'

export interface LightConfig {
  readonly maxloop: number
  /** 0: restarts are not counted. */
  readonly loopIntervalMs: number
}

export type LightRole = 'stop' | 'wait' | 'up'

export type Place =
  | { readonly role: 'stop' }
  /** `entering`: the start of the module is under way. `held`: a rule says to wait. */
  | { readonly role: 'wait'; readonly stage: 'entering' | 'held'; readonly epoch: number }
  | {
      readonly role: 'up'
      readonly stage: 'entering' | 'ready' | 'restarting'
      readonly epoch: number
    }
  /** What the role had is on its way down; `failure`: it could not be brought down. */
  | {
      readonly role: 'leaving'
      readonly from: 'wait' | 'up'
      readonly to: 'wait' | 'stop'
      readonly action: TransitionAction
      readonly epoch: number
      readonly failure: string | undefined
    }

export interface State {
  readonly config: LightConfig
  readonly place: Place
  /** Why a rule wants this module to wait; undefined: none does. */
  readonly hold: string | undefined
  /** Last number given to a question; an answer with another number is late. */
  readonly epoch: number
  /** Wall-clock times of counted restarts within the interval. */
  readonly loops: readonly number[]
  readonly cause: string
  readonly hint: string | undefined
}

export type Event =
  | {
      readonly kind: 'commanded'
      readonly command: OperatorCommand
      readonly identity: string | undefined
      readonly cause: string
      readonly wallMs: number
      readonly ticket: number
    }
  /** This daemon was restarted: what was under way is asked again. */
  | { readonly kind: 'adopted'; readonly verdict: Verdict; readonly wallMs: number }
  | {
      readonly kind: 'entered' | 'restarted'
      readonly epoch: number
      readonly verdict: Verdict
      readonly wallMs: number
    }
  | { readonly kind: 'left'; readonly epoch: number; readonly verdict: Verdict }

export type Action =
  /** Answered by `entered` or `left`. */
  | {
      readonly kind: 'enter' | 'leave'
      readonly epoch: number
      readonly from: LightRole
      readonly to: LightRole
      readonly action: TransitionAction
    }
  /** Stop and start the application in place: answered by `restarted`. */
  | { readonly kind: 'restart'; readonly epoch: number }
  | { readonly kind: 'answer'; readonly ticket: number; readonly verdict: Verdict }

export interface Step {
  readonly next: State
  readonly actions: readonly Action[]
}
