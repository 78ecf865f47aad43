/** The transitions of the membership machine: what can happen, and everything that it can lead to. */
import type { MembershipAction, MembershipEvent, MembershipState } from '@holdfast/core/decisions'

export function transitionOf(
  before: MembershipState,
  event: MembershipEvent,
  actions: readonly MembershipAction[],
): string {
  const effects = [...new Set(actions.map(effectOf))].sort()
  return `${momentOf(before, event)}${event.kind}: ${effects.length === 0 ? '-' : effects.join(' ')}`
}

/** After a pause of its own the machine decides no silence for a while. */
function momentOf(before: MembershipState, event: MembershipEvent): string {
  return 'nowMs' in event && event.nowMs < before.graceUntilMs ? 'in grace, ' : ''
}

function effectOf(action: MembershipAction): string {
  if (action.kind === 'showLan') return action.up ? 'lanUp' : 'lanDown'
  return action.kind === 'refuseHeartbeat' ? action.fault : action.kind
}

const effects: Readonly<Record<MembershipEvent['kind'], readonly string[]>> = {
  configured: ['-'],
  heartbeatReceived: [
    ...['-', 'lanUp', 'tellHeard', 'lanUp tellHeard', 'unknownLan', 'endedIncarnation', 'replayed'],
    ...['showRestart', 'lanUp showRestart', 'lanUp showRestart tellHeard', 'showRestart tellHeard'],
  ],
  incarnationProved: ['-', 'showRestart'],
  streamHeard: ['-', 'tellHeard'],
  ticked: ['-', 'lanDown', 'tellSilent', 'lanDown tellSilent', 'showFreeze'],
  watched: ['-', 'tellHeard'],
  unwatched: ['-'],
}

const inGrace: Readonly<Partial<typeof effects>> = {
  configured: ['-'],
  heartbeatReceived: [
    ...['-', 'lanUp', 'tellHeard', 'lanUp tellHeard', 'endedIncarnation', 'replayed'],
    ...['showRestart', 'lanUp showRestart', 'lanUp showRestart tellHeard'],
  ],
  // A pause is as long as the grace after the one before: it never ends within it.
  ticked: ['-'],
  watched: ['-', 'tellHeard'],
}

function named(prefix: string, of: Readonly<Partial<typeof effects>>): string[] {
  return Object.entries(of).flatMap(([kind, outcomes]) =>
    outcomes.map((outcome) => `${prefix}${kind}: ${outcome}`),
  )
}

/** What a sweep has to reach. */
export const transitions: readonly string[] = [
  ...named('', effects),
  ...named('in grace, ', inGrace),
].sort()
