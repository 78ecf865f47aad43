/**
 * Known-bad variants of the machine. Each is a mistake that looks harmless in a review; the sweep must catch every one of
 * them, or it proves nothing about the machine that it finds no fault with.
 */
import {
  type Action,
  type Event,
  type Memory,
  type State,
  type Step,
  step,
} from '@holdfast/plugin-mirror'
import type { WorldOptions } from './world.js'

/** What a known-bad variant changes. */
export type Mutation = Pick<WorldOptions, 'step' | 'ignoresLink'>

export interface Mutant {
  readonly name: string
  readonly mistake: string
  readonly mutation: Mutation
}

export const mutants: readonly Mutant[] = [
  mutant('trusts-roles', 'follows whoever serves, whatever its generation', (state, event) =>
    step(state, believed(state, event)),
  ),
  mutant(
    'releases-before-persisting',
    'releases the writes that wait, then persists why',
    (state, event) => reordered(step(state, event), 'detach', 'persist'),
  ),
  mutant('tells-before-persisting', 'tells the peer what is not on disk yet', (state, event) =>
    reordered(step(state, event), 'tell', 'persist'),
  ),
  mutant(
    'skips-outdating',
    'goes on alone without the word of a follower that is there',
    (state, event) => {
      const done = step(state, event)
      const asked = done.actions.find(isOutdate)
      if (asked === undefined) return done
      const message = { kind: 'outdated' as const, epoch: asked.message.epoch }
      return chained(done, { kind: 'told', message })
    },
  ),
  mutant(
    'no-demoting',
    'waits at once, while its application is still stopping',
    (state, event) => {
      const done = step(state, event)
      const left = done.actions.find((action) => action.kind === 'leave')
      return left === undefined
        ? done
        : chained(done, { kind: 'left', epoch: left.epoch, verdict: { ok: true } })
    },
  ),
  mutant(
    'believes-late-answers',
    'takes any answer for the answer to its present question',
    (state, event) => step(state, timely(state, event)),
  ),
  mutant('partial-may-lead', 'calls a copy current while it is being overwritten', (state, event) =>
    remembering(state, step(state, event), (before, memory) =>
      memory.data === 'partial' ? { ...memory, data: before.data } : memory,
    ),
  ),
  mutant(
    'agreement-in-memory',
    'agrees that the peer leads, and does not write that down',
    (state, event) => {
      const isAsked = event.kind === 'told' && event.message.kind === 'lead'
      return isAsked
        ? remembering(state, step(state, event), (before) => before)
        : step(state, event)
    },
  ),
  mutant('ignores-refusal', 'goes on although the witness refused', (state, event) =>
    step(state, event.kind === 'claimed' ? { ...event, claim: 'granted' } : event),
  ),
  mutant('unknown-is-yes', 'goes on when the witness does not answer', (state, event) =>
    step(
      state,
      event.kind === 'claimed' && event.claim === 'unknown'
        ? { ...event, claim: 'granted' }
        : event,
    ),
  ),
  mutant(
    'synced-before-live',
    'calls the follower current before writes depend on it',
    (state, event) => {
      const done = step(state, event)
      return event.kind === 'admitDone' && event.verdict.ok
        ? chained(done, { kind: 'copyFinished', epoch: event.epoch })
        : done
    },
  ),
  mutant('resumes-blindly', 'a restarted daemon orders nothing again', (state, event) =>
    event.kind === 'adopted' ? { next: state, actions: [] } : step(state, event),
  ),
  mutant('forgets-the-pair', 'does not write down that the peer is current too', (state, event) =>
    remembering(state, step(state, event), (_before, memory) => ({ ...memory, paired: false })),
  ),
  mutant('no-new-generation', 'goes on alone in the generation of the pair', (state, event) =>
    remembering(state, step(state, event), (before, memory) => {
      const goesAlone = before.paired && !memory.paired
      return goesAlone
        ? { ...memory, generation: before.generation, history: before.history }
        : memory
    }),
  ),
  mutant('stop-always-works', 'takes a stop script that failed for a stop', (state, event) =>
    step(state, event.kind === 'left' ? { ...event, verdict: { ok: true } } : event),
  ),
  mutant('outdated-while-ahead', 'lets a peer that stood still call it stale', (state, event) => {
    const isAsked = event.kind === 'told' && event.message.kind === 'outdate'
    if (!isAsked) return step(state, event)
    const { peer } = state
    const told = peer.view ?? { role: 'prim' as const, ready: false, held: false }
    const view = { ...told, memory: state.memory }
    return step({ ...state, peer: { ...peer, view } }, event)
  }),
  mutant('no-marks', 'takes two generations of the same number and node for one', (state, event) =>
    remembering(state, step(state, unmarkedEvent(event)), (_before, memory) => unmarked(memory)),
  ),
  mutant(
    'asks-once',
    'does not ask again what was asked while no stream was there',
    (state, event) => {
      const { place } = state
      const isOutdating = 'degrading' in place && place.degrading?.stage === 'outdating'
      if (event.kind !== 'peerConnected' || !isOutdating) return step(state, event)
      const done = step(state, event)
      return {
        next: { ...done.next, place },
        actions: done.actions.filter((one) => !isOutdate(one)),
      }
    },
  ),
  mutant(
    'keeps-ancestors',
    'lets an unfinished copy descend from what it replaced',
    (state, event) =>
      remembering(state, step(state, event), (before, memory) => {
        const isForced = before.data === 'partial' && memory.data === 'current' && !memory.paired
        return isForced ? { ...memory, history: [before.generation, ...before.history] } : memory
      }),
  ),
  mutant(
    'no-late-dependence',
    'ignores a copy that is finished while its application stops',
    (state, event) =>
      event.kind === 'copyFinished' && state.place.role === 'demoting'
        ? { next: state, actions: [] }
        : step(state, event),
  ),
  mutant('no-limit', 'lets its application run while nobody lets it go on', (state, event) => {
    const isLimit = event.kind === 'timeUp' && 'degrading' in state.place
    return isLimit && state.place.degrading?.limit === event.epoch
      ? { next: state, actions: [] }
      : step(state, event)
  }),
  mutant(
    'no-yielding',
    'takes over without giving the other one the time to stop',
    (state, event) => {
      const done = step(state, event)
      const { place } = done.next
      const begins = 'stage' in place && place.stage === 'yielding' && state.place !== place
      return begins ? chained(done, { kind: 'timeUp', epoch: place.epoch }) : done
    },
  ),
  mutant('same-generation', 'keeps the generation when a pair becomes whole', (state, event) => {
    const { generation, history } = state.memory
    const done = step(state, event)
    if (event.kind !== 'copyFinished') return done
    const same = remembering(state, done, (_before, memory) => ({ ...memory, generation, history }))
    return {
      ...same,
      actions: same.actions.map((action) => retold(action, { generation, history })),
    }
  }),
  mutant('next-right', 'asks for the next right when one was refused', supersedes),
  mutant('deaf-to-wakeup', 'waits for ever once it was told to wait', (state, event) =>
    event.kind === 'commanded' && event.command === 'wakeup'
      ? { next: state, actions: [] }
      : step(state, event),
  ),
  {
    name: 'heartbeats-only',
    mistake:
      'takes a daemon that is silent for a node that is dead, while the replication link lives',
    mutation: { ignoresLink: true },
  },
]

/** Mistakes that break no promise of today; a scenario file holds each. */
export const scenarioMutants: readonly Mutant[] = [
  mutant('refused-is-stale', 'calls its data stale because the witness refused', (state, event) => {
    const isRefused = event.kind === 'claimed' && event.claim === 'refused'
    const done = step(state, event)
    const stepsDown = done.next.place.role === 'demoting' && state.place.role !== 'demoting'
    if (!isRefused || !stepsDown) return done
    return { ...done, next: { ...done.next, memory: { ...done.next.memory, data: 'stale' } } }
  }),
  mutant('releases-once', 'a restarted daemon does not release writes again', (state, event) => {
    const done = step(state, event)
    const actions = done.actions.filter(({ kind }) => kind !== 'detach')
    return event.kind === 'adopted' ? { ...done, actions } : done
  }),
  mutant(
    'begins-anew',
    'a loss that is told again begins the wait for the right anew',
    (state, event) => {
      const { place } = state
      if (event.kind !== 'linkLost' || !('degrading' in place)) return step(state, event)
      return step({ ...state, place: { ...place, degrading: undefined } }, event)
    },
  ),
]

/** Whatever is told of one's own lineage is told to be this. */
function retold(action: Action, lineage: Pick<Memory, 'generation' | 'history'>): Action {
  if (action.kind !== 'tell') return action
  const { message } = action
  if (message.kind === 'synced') return tell({ ...message, lineage })
  if (message.kind !== 'view') return action
  return tell({
    ...message,
    view: { ...message.view, memory: { ...message.view.memory, ...lineage } },
  })
}

function tell(message: Told['message']): Action {
  return { kind: 'tell', message }
}

/** A right that was granted and perhaps not used must block the other node: it can't tell. */
function supersedes(state: State, event: Event): Step {
  const done = step(state, event)
  const isRefused = event.kind === 'claimed' && event.claim === 'refused'
  if (!isRefused || state.place.role !== 'wait') return done
  const { epoch } = state.place
  const generation = state.memory.generation.number + 2
  return { ...done, actions: [...done.actions, { kind: 'claim', epoch, generation }] }
}

function mutant(
  name: string,
  mistake: string,
  wrong: (state: State, event: Event) => Step,
): Mutant {
  return { name, mistake, mutation: { step: wrong } }
}

function chained(done: Step, event: Event): Step {
  const next = step(done.next, event)
  return { next: next.next, actions: [...done.actions, ...next.actions] }
}

/** The first kind of actions before the second; else the order stays. */
function reordered(done: Step, first: Action['kind'], second: Action['kind']): Step {
  const late = done.actions.filter((action) => action.kind === second)
  const early = done.actions.filter((action) => action.kind === first)
  if (late.length === 0 || early.length === 0) return done
  const rest = done.actions.filter((action) => action.kind !== first && action.kind !== second)
  return { next: done.next, actions: [...early, ...late, ...rest] }
}

/** What is remembered, on disk and in the state, is changed by the mistake. */
function remembering(
  before: State,
  done: Step,
  change: (before: Memory, memory: Memory) => Memory,
): Step {
  const memory = change(before.memory, done.next.memory)
  const actions = done.actions.map((action) =>
    action.kind === 'persist'
      ? { ...action, memory: change(before.memory, action.memory) }
      : action,
  )
  return { next: { ...done.next, memory }, actions }
}

type Told = Extract<Action, { kind: 'tell' }>

function isOutdate(
  action: Action,
): action is Told & { message: Extract<Told['message'], { kind: 'outdate' }> } {
  return action.kind === 'tell' && action.message.kind === 'outdate'
}

/** The views of a peer seem to be of one's own generation when they are of another branch. */
function believed(state: State, event: Event): Event {
  if (event.kind !== 'told' || !('view' in event.message)) return event
  const { message } = event
  const { view } = message
  if (isRelated(state.memory, view.memory)) return event
  return { ...event, message: { ...message, view: { ...view, memory: state.memory } } }
}

function isRelated(mine: Memory, theirs: Memory): boolean {
  const isIn = (one: Memory, other: Memory): boolean =>
    [other.generation, ...other.history].some(
      ({ number, mark }) => number === one.generation.number && mark === one.generation.mark,
    )
  const isEmpty = mine.generation.number === 0 || theirs.generation.number === 0
  return isEmpty || isIn(mine, theirs) || isIn(theirs, mine)
}

/** The number of the question that is open is written on whatever answer comes. */
function timely(state: State, event: Event): Event {
  const { place } = state
  if (!('epoch' in place)) return event
  const serving = place.role === 'alone' || place.role === 'prim' ? place : undefined
  const ofLink = serving?.follower?.epoch ?? place.epoch
  const ofRight = serving?.degrading?.epoch ?? place.epoch
  switch (event.kind) {
    case 'entered':
    case 'left':
    case 'restarted':
    case 'followDone':
      return { ...event, epoch: place.epoch }
    case 'claimed':
    case 'timeUp':
      return { ...event, epoch: ofRight }
    case 'admitDone':
    case 'copyFinished':
    case 'linkLost':
      return { ...event, epoch: ofLink }
    case 'told':
      return { ...event, message: timelyMessage(event.message, place.epoch, ofRight) }
    default:
      return event
  }
}

function timelyMessage(
  message: Told['message'],
  ofQuestion: number,
  ofRight: number,
): Told['message'] {
  switch (message.kind) {
    case 'agreed':
    case 'disagreed':
    case 'admitted':
    case 'synced':
      return { ...message, epoch: ofQuestion }
    case 'outdated':
      return { ...message, epoch: ofRight }
    default:
      return message
  }
}

function unmarked<T extends Pick<Memory, 'generation' | 'history'>>(lineage: T): T {
  const generation = { ...lineage.generation, mark: 0 }
  return { ...lineage, generation, history: lineage.history.map((one) => ({ ...one, mark: 0 })) }
}

function unmarkedEvent(event: Event): Event {
  if (event.kind !== 'told') return event
  const { message } = event
  if ('view' in message) {
    const view = { ...message.view, memory: unmarked(message.view.memory) }
    return { ...event, message: { ...message, view } }
  }
  if (message.kind !== 'synced') return event
  return { ...event, message: { ...message, lineage: unmarked(message.lineage) } }
}
