/**
 * What becomes of a data plane that a daemon finds running with other code than its own, as after an upgrade of the package:
 * pure. Whoever writes is never interrupted for it, and two nodes never replace theirs at once. See decision 0014.
 */
import type { PlaneCode, PlaneLink, PlaneRole } from './protocol.js'

export interface RenewalFacts {
  /** Of the data plane that runs; undefined: it is of a version that says nothing of it. */
  readonly running: PlaneCode | undefined
  /** What one that is started now would run. */
  readonly installed: PlaneCode
  readonly role: PlaneRole
  readonly link: PlaneLink
  /** Why another one can't go on in its place; undefined: it can. */
  readonly obstacle: string | undefined
  /** There is a stream to the daemon of the other node. */
  readonly isPeerConnected: boolean
  /** Of the other node's data plane; undefined: it was not told. */
  readonly peer: PlaneCode | undefined
}

export type Renewal =
  | { readonly kind: 'keep' }
  | { readonly kind: 'now' }
  /** Asked again soon. */
  | { readonly kind: 'wait'; readonly why: string }
  /** At its next use. */
  | { readonly kind: 'later'; readonly why: string }
  | { readonly kind: 'cannot'; readonly why: string }

export function renewalOf(facts: RenewalFacts): Renewal {
  const { running, installed, role, obstacle } = facts
  if (isSameCode(running, installed)) return { kind: 'keep' }
  if (role === 'idle') return { kind: 'later', why: 'it does nothing until then' }
  if (obstacle !== undefined) return { kind: 'cannot', why: obstacle }
  return role === 'serving' ? ofServing(facts) : ofFollowing(facts)
}

/** The link is lost with the process, and changes wait until the other node agrees that this one goes on alone. */
function ofServing({ link, isPeerConnected }: RenewalFacts): Renewal {
  return link === 'live' && !isPeerConnected
    ? { kind: 'wait', why: 'the other node can not be asked whether this one may go on alone' }
    : { kind: 'now' }
}

/** Its session ends anyway when the primary's data plane is replaced: one interruption is enough. */
function ofFollowing({ link, installed, isPeerConnected, peer }: RenewalFacts): Renewal {
  if (link === 'none' || link === 'held') return { kind: 'later', why: 'its session is over' }
  if (isSameCode(peer, installed)) return { kind: 'now' }
  return isPeerConnected
    ? { kind: 'later', why: 'the one of the primary has other code too, and is replaced first' }
    : { kind: 'wait', why: 'it is not known which code the one of the primary runs' }
}

/** What says nothing of its code has another one. */
export function isSameCode(one: PlaneCode | undefined, other: PlaneCode | undefined): boolean {
  return one !== undefined && one.digest === other?.digest
}

/** For people. */
export function codeText(code: PlaneCode | undefined): string {
  return code === undefined
    ? 'a version that does not say which'
    : `version ${code.version} (${code.digest})`
}
