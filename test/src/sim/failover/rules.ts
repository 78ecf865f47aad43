/** The rules of the simulated modules, with an evaluation of its own: naive, and without the product's. */
import type { CheckerPhase, ResourceValue } from '@holdfast/sdk'

export type Told = (name: string) => ResourceValue

export interface KnownRule {
  readonly label: string
  readonly text: string
  readonly action: 'restart' | 'stopstart' | 'wait' | 'stop' | 'swap' | 'set'
  /** Undefined: it is open. */
  readonly holds: (told: Told) => boolean | undefined
}

/** `init` says nothing. */
function is(told: Told, name: string, value: ResourceValue): boolean | undefined {
  const seen = told(name)
  return seen === 'init' ? undefined : seen === value
}

function both(one: boolean | undefined, other: boolean | undefined): boolean | undefined {
  if (one === false || other === false) return false
  return one === undefined || other === undefined ? undefined : true
}

export const rules: readonly KnownRule[] = [
  {
    label: 'web',
    text: 'web: if (tcp.web == down) then restart();',
    action: 'restart',
    holds: (told) => is(told, 'tcp.web', 'down'),
  },
  {
    label: 'gateway',
    text: 'gateway: if (ping.gw == down) then wait();',
    action: 'wait',
    holds: (told) => is(told, 'ping.gw', 'down'),
  },
  {
    label: 'other_is_better',
    text: 'other_is_better: if (custom.disk == down && remote.custom.disk == up) then stopstart();',
    action: 'stopstart',
    holds: (told) => both(is(told, 'custom.disk', 'down'), is(told, 'remote.custom.disk', 'up')),
  },
  {
    label: 'sum',
    text: 'sum: if (custom.disk == down) then custom.sum = down;',
    action: 'set',
    holds: (told) => is(told, 'custom.disk', 'down'),
  },
  {
    label: 'limit',
    text: 'limit: if (custom.limit == down) then stop();',
    action: 'stop',
    holds: (told) => is(told, 'custom.limit', 'down'),
  },
]

/** What is watched, and when. */
export const checkers: ReadonlyMap<string, CheckerPhase> = new Map([
  ['tcp.web', 'prim'],
  ['ping.gw', 'pre'],
  ['custom.disk', 'both'],
  ['custom.limit', 'pre'],
])
