/** Can a journal that was found be used, and since when was nobody in charge? Pure. */
import type { Standing } from '../resync-port.js'
import { gapAtOpen, withGap, type Gap, type Moment } from './gaps.js'

/** The beginning of the journal's file. */
export interface JournalHeader {
  readonly format: 1
  /** The boot of the machine in which the file was written: what was not synced before is gone. */
  readonly bootId: string
  readonly zoneBytes: number
  readonly base: string | undefined
  readonly trusted: boolean
  readonly why: string | undefined
  /** Set at an orderly end, when the trees and the journal were synced. */
  readonly clean: boolean
  /** When nobody was in charge, and no copy was finished since. What earlier versions wrote has none of the following. */
  readonly gaps?: readonly Gap[]
  readonly bootedMs?: number
  /** With `clean`: when the charge was given up. */
  readonly untilMs?: number | undefined
}

/** What reading the file gave. */
export interface Found {
  /** Undefined: there is no file. */
  readonly header: JournalHeader | 'unreadable' | undefined
  /**
   * `torn`: the last frame is incomplete, as when the process died while it wrote: the change that it announced was not made.
   * `damaged`: a complete frame is wrong, or what follows can't be reached.
   */
  readonly tail: 'whole' | 'torn' | 'damaged'
}

/** When nobody was in charge. Of use for a journal that is trusted: else everything is compared. */
export function gapsAtOpen(
  { header }: Found,
  /** Of the file; undefined: there is none. */
  modifiedMs: number | undefined,
  now: Moment & { readonly bootId: string },
): readonly Gap[] {
  if (typeof header !== 'object' || modifiedMs === undefined) return []
  const { clean, untilMs, bootId, bootedMs } = header
  const left = {
    untilMs: (clean ? untilMs : undefined) ?? modifiedMs,
    crashed: !clean,
    isSameBoot: bootId === now.bootId,
    bootedMs,
  }
  return withGap(header.gaps ?? [], gapAtOpen(left, now))
}

export interface Now {
  readonly bootId: string
  readonly zoneBytes: number
}

export function standingAtOpen({ header, tail }: Found, now: Now): Standing {
  const base = typeof header === 'object' ? header.base : undefined
  const untrusted = (why: string): Standing => ({ trusted: false, why, base })
  if (header === undefined) return untrusted('there was no journal')
  if (header === 'unreadable') return untrusted('the journal can not be read')
  if (!header.trusted) return untrusted(header.why ?? 'the journal was given up')
  if (header.bootId !== now.bootId && !header.clean) {
    return untrusted('the machine was restarted without a clean stop')
  }
  if (header.zoneBytes !== now.zoneBytes) return untrusted('the zone size was changed')
  // A file that was closed cleanly has no torn end.
  if (tail === 'damaged' || (header.clean && tail === 'torn'))
    return untrusted('the journal is damaged')
  return { trusted: true, why: undefined, base }
}
