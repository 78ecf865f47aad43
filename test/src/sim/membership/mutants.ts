/** Known-bad variants of the membership machine and of its driver: the sweep must catch each. */
import {
  type MembershipEvent,
  type MembershipState,
  type MembershipStep,
  membershipStep as step,
  peerOf,
} from '@holdfast/core/decisions'
import type { KnownBad } from '../machine.js'
import { pulseMs } from './setting.js'
import type { Mutation } from './world.js'

interface Mutant extends KnownBad {
  readonly mutation: Mutation
}

export const mutants: readonly Mutant[] = [
  {
    name: 'trusts-forged',
    mistake: 'takes datagrams for authentic that nobody with the key made',
    mutation: { believes: 'anything' },
  },
  {
    name: 'any-direction',
    mistake: 'accepts datagrams that were sent to another node or on another LAN',
    mutation: { ignoresDirection: true },
  },
  mutant('hears-the-dead', 'accepts datagrams of an incarnation that has ended', (state, event) => {
    if (event.kind !== 'heartbeatReceived') return step(state, event)
    const known = peerOf(state, event.node)?.incarnation
    return step(state, known === undefined ? event : { ...event, incarnation: known })
  }),
  mutant('hears-replays', 'does not look at the numbers of datagrams', (state, event) =>
    step(event.kind === 'heartbeatReceived' ? unnumbered(state) : state, event),
  ),
  mutant('no-pause', 'takes its own pause for silence of the others', (state, event) =>
    step(event.kind === 'ticked' ? { ...state, tickedMs: undefined } : state, event),
  ),
  mutant('no-grace', 'decides at once after a pause of its own', (state, event) => {
    const done = step(state, event)
    return { ...done, next: { ...done.next, graceUntilMs: 0 } }
  }),
  mutant('deaf-to-streams', 'counts heartbeats only', (state, event) =>
    event.kind === 'streamHeard' ? { next: state, actions: [] } : step(state, event),
  ),
  mutant('all-lans', 'counts LANs that are not watched', (state, event) =>
    step(
      state,
      event.kind === 'watched' ? { ...event, watcher: { ...event.watcher, lans: [] } } : event,
    ),
  ),
  mutant('keeps-numbers', 'goes on counting when a peer has restarted', (state, event) => {
    if (event.kind !== 'heartbeatReceived' && event.kind !== 'incarnationProved') {
      return step(state, event)
    }
    const before = peerOf(state, event.node)
    const done = step(state, event)
    const after = peerOf(done.next, event.node)
    if (before === undefined || before.incarnation?.id === after?.incarnation?.id) return done
    if (after === undefined || before.incarnation === undefined) return done
    const lans = after.lans.map((one) => ({
      ...one,
      sequence: before.lans.find(({ lan }) => lan === one.lan)?.sequence ?? one.sequence,
    }))
    const peers = done.next.peers.map((one) => (one === after ? { ...after, lans } : one))
    return { ...done, next: { ...done.next, peers } }
  }),
  mutant(
    'silent-for-good',
    'never tells that one who was silent is heard again',
    (state, event) => {
      const done = step(state, event)
      const silent = new Set(
        state.watchers.filter(({ verdict }) => verdict === 'silent').map(({ id }) => id),
      )
      const isLate = (action: MembershipStep['actions'][number]): boolean =>
        action.kind === 'tellHeard' && silent.has(action.watcher)
      return { ...done, actions: done.actions.filter((action) => !isLate(action)) }
    },
  ),
  mutant('deaf-to-the-deaf', 'does not listen to who says that it hears nothing', (state, event) =>
    step(state, event.kind === 'heartbeatReceived' ? { ...event, hears: true } : event),
  ),
  mutant('mute-for-good', 'never believes that it is heard again', (state, event) => {
    if (event.kind !== 'heartbeatReceived') return step(state, event)
    const known = peerOf(state, event.node)?.lans.find(({ lan }) => lan === event.lan)
    return step(state, { ...event, hears: event.hears && known?.hearsUs !== false })
  }),
  mutant('impatient', 'calls a peer silent a pulse too early', (state, event) =>
    step(
      state,
      event.kind === 'watched'
        ? { ...event, watcher: { ...event.watcher, timeoutMs: event.watcher.timeoutMs - pulseMs } }
        : event,
    ),
  ),
  mutant('late-silence', 'waits for two pulses more before it tells a silence', (state, event) =>
    step(
      state,
      event.kind === 'watched'
        ? {
            ...event,
            watcher: { ...event.watcher, timeoutMs: event.watcher.timeoutMs + 3 * pulseMs },
          }
        : event,
    ),
  ),
]

export function mutationNamed(name: string | undefined): Mutation | undefined {
  return mutants.find((one) => one.name === name)?.mutation
}

function mutant(
  name: string,
  mistake: string,
  wrong: (state: MembershipState, event: MembershipEvent) => MembershipStep,
): Mutant {
  return { name, mistake, mutation: { step: wrong } }
}

function unnumbered(state: MembershipState): MembershipState {
  return {
    ...state,
    peers: state.peers.map((peer) => ({
      ...peer,
      lans: peer.lans.map((one) => ({ ...one, sequence: -1 })),
    })),
  }
}
