/** The drawn graph of the mirror's roles: what docs/MIRROR.md shows, and what histories are compared with. */
import { type Event, type State, step } from '@holdfast/plugin-mirror'
import { runHistory } from './history.js'

type Role = State['place']['role']

/** Every change of a role that a history can see, with its reasons. Some pass through WAIT in one step. */
export const edges: Readonly<Partial<Record<`${Role} --> ${Role}`, string>>> = {
  'stop --> wait': 'start, prim, second',
  'wait --> second': 'the peer serves',
  'wait --> alone': 'the peer agreed, the witness granted it, or nobody else can have the data',
  'wait --> demoting': 'stop',
  'second --> alone': 'the peer stepped down and agreed, or is silent and the right is there',
  'second --> demoting': 'stop, wait; the peer is silent and there is no right',
  'alone --> prim': 'the follower is identical',
  'prim --> alone': 'the follower is stale, or the right is there',
  'alone --> demoting': 'stop, wait, failure; the peer went on',
  'prim --> demoting': 'stop, wait, swap, failure; no right in time',
  'demoting --> wait': 'the application has stopped',
  'demoting --> stop': 'the application has stopped, by order',
  'demoting --> second': 'stopped, and the peer serves already',
  'demoting --> alone': 'stopped, and nobody else can serve',
}

export function drawn(): string {
  const lines = Object.entries(edges).map(([edge, why]) => `    ${edge}: ${why}`)
  return ['```mermaid', 'stateDiagram-v2', '    [*] --> stop', ...lines, '```'].join('\n')
}

/** The changes of roles in histories of the product's machine, sorted. */
export function observed(histories: number): string[] {
  const seen = new Set<string>()
  const watched = (state: State, event: Event) => {
    const done = step(state, event)
    const [from, to] = [state.place.role, done.next.place.role]
    if (from !== to) seen.add(`${from} --> ${to}`)
    return done
  }
  for (let seed = 1; seed <= histories; seed += 1) runHistory({ seed, mutation: { step: watched } })
  return [...seen].sort()
}
