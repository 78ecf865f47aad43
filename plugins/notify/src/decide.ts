/** What waits for one notifier, and when it goes out: pure. Who calls gives the time, and does what `actions` say. */
import type { Notice } from '@holdfast/sdk'

/** A little time for what belongs together: a take-over is several entries within a second. */
export const collectMs = 2_000
export const noticesMax = 100
export const waitingMax = 500
export const attemptsMax = 12
const firstPauseMs = 5_000
const longestPauseMs = 600_000

export interface Rate {
  readonly messagesMax: number
  readonly intervalMs: number
}

/** One message until it is delivered or given up. It never changes, so each attempt carries the same id. */
export interface Batch {
  readonly notices: readonly Notice[]
  readonly dropped: number
  /** Counts from 1. */
  readonly attempt: number
}

export interface Outbox {
  readonly phase: 'idle' | 'collecting' | 'sending' | 'pausing'
  readonly waiting: readonly Notice[]
  /** Left out since the last message. */
  readonly dropped: number
  /** While sending or pausing. */
  readonly batch: Batch | undefined
  /** When the last messages of the interval began. */
  readonly sentMs: readonly number[]
}

export type Event =
  | { readonly kind: 'noticed'; readonly notice: Notice }
  | { readonly kind: 'timeReached' }
  | { readonly kind: 'delivered' }
  | { readonly kind: 'failed'; readonly reason: string }

export type Action =
  | { readonly kind: 'wake'; readonly afterMs: number }
  | { readonly kind: 'send'; readonly batch: Batch }
  /** Everything up to this number is done with, also for the next daemon. */
  | { readonly kind: 'remember'; readonly sequence: number }
  | { readonly kind: 'tellFull' }
  | { readonly kind: 'tellFailed'; readonly reason: string; readonly nextMs: number }
  | { readonly kind: 'tellGivenUp'; readonly reason: string; readonly notices: number }

export interface Step {
  readonly outbox: Outbox
  readonly actions: readonly Action[]
}

export const emptyOutbox: Outbox = {
  phase: 'idle',
  waiting: [],
  dropped: 0,
  batch: undefined,
  sentMs: [],
}

export function step(outbox: Outbox, event: Event, nowMs: number, rate: Rate): Step {
  switch (event.kind) {
    case 'noticed':
      return onNoticed(outbox, event.notice)
    case 'timeReached':
      return onTime(outbox, nowMs, rate)
    case 'delivered':
      return outbox.batch === undefined ? stay(outbox) : finish(outbox, outbox.batch, [])
    case 'failed':
      return outbox.batch === undefined
        ? stay(outbox)
        : onFailed(outbox, outbox.batch, event.reason)
  }
}

/** The pause after the attempt of this number. */
export function pauseMs(attempt: number): number {
  return Math.min(firstPauseMs * 2 ** (attempt - 1), longestPauseMs)
}

function onNoticed(outbox: Outbox, notice: Notice): Step {
  const isFull = outbox.waiting.length >= waitingMax
  // The newest are kept: they say how it is now, and all of them are in the log.
  const waiting = [...outbox.waiting.slice(isFull ? 1 : 0), notice]
  const dropped = outbox.dropped + (isFull ? 1 : 0)
  const next: Outbox = { ...outbox, waiting, dropped }
  const tell: readonly Action[] = isFull && outbox.dropped === 0 ? [{ kind: 'tellFull' }] : []
  if (outbox.phase !== 'idle') return { outbox: next, actions: tell }
  return {
    outbox: { ...next, phase: 'collecting' },
    actions: [...tell, { kind: 'wake', afterMs: collectMs }],
  }
}

function onTime(outbox: Outbox, nowMs: number, rate: Rate): Step {
  if (outbox.phase === 'pausing' && outbox.batch !== undefined) {
    return send(outbox, { ...outbox.batch, attempt: outbox.batch.attempt + 1 })
  }
  if (outbox.phase !== 'collecting') return stay(outbox)
  const recent = outbox.sentMs.filter((sentMs) => nowMs - sentMs < rate.intervalMs)
  const oldest = recent[0]
  if (oldest !== undefined && recent.length >= rate.messagesMax) {
    return { outbox, actions: [{ kind: 'wake', afterMs: oldest + rate.intervalMs - nowMs }] }
  }
  const { waiting, dropped } = outbox
  return send(
    { ...outbox, waiting: waiting.slice(noticesMax), dropped: 0, sentMs: [...recent, nowMs] },
    { notices: waiting.slice(0, noticesMax), dropped, attempt: 1 },
  )
}

function send(outbox: Outbox, batch: Batch): Step {
  return { outbox: { ...outbox, phase: 'sending', batch }, actions: [{ kind: 'send', batch }] }
}

function onFailed(outbox: Outbox, batch: Batch, reason: string): Step {
  if (batch.attempt >= attemptsMax) {
    return finish(outbox, batch, [{ kind: 'tellGivenUp', reason, notices: batch.notices.length }])
  }
  const afterMs = pauseMs(batch.attempt)
  return {
    outbox: { ...outbox, phase: 'pausing' },
    actions: [
      // Once is enough: the attempts that follow say nothing new.
      ...(batch.attempt === 1 ? [{ kind: 'tellFailed', reason, nextMs: afterMs } as const] : []),
      { kind: 'wake', afterMs },
    ],
  }
}

function finish(outbox: Outbox, batch: Batch, told: readonly Action[]): Step {
  const last = batch.notices.at(-1)
  const remember: readonly Action[] =
    last === undefined ? [] : [{ kind: 'remember', sequence: last.sequence }]
  const isEmpty = outbox.waiting.length === 0
  return {
    outbox: { ...outbox, batch: undefined, phase: isEmpty ? 'idle' : 'collecting' },
    actions: [
      ...told,
      ...remember,
      ...(isEmpty ? [] : [{ kind: 'wake', afterMs: collectMs } as const]),
    ],
  }
}

function stay(outbox: Outbox): Step {
  return { outbox, actions: [] }
}
