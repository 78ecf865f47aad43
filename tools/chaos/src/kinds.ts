/** What can happen to a pair, and what may follow from it. A table: no code here touches anything. */

/**
 * `never`: the primary is alive and its node goes on; another node that serves is a false failover. `may`: the primary is lost, or
 * looks lost. `planned`: the operator asked for it.
 */
export type Failover = 'never' | 'may' | 'planned'

/** Who is hit. `pair`: both nodes, or what is between them. */
export type Victim = 'primary' | 'secondary' | 'pair' | 'witness'

export interface Kind {
  readonly what: string
  readonly victim: Victim
  readonly failover: Failover
  /** How often it is drawn, against the others. */
  readonly weight: number
  /** Shortest and longest time until it is healed, for a pair that is as quick as can be: the schedule stretches it. */
  readonly holdMs: readonly [number, number]
  /** Nothing notices the death of the application: the operator restarts it. */
  readonly killsApplication?: true
  /** What stands still for too long is reset by its watchdog, and then the other node takes over. */
  readonly standsStill?: true
}

export const kinds = {
  'kill-daemon-primary': kind('kill -9 of holdfastd', 'primary', 'never', 3, [0, 1500]),
  'kill-daemon-secondary': kind('kill -9 of holdfastd', 'secondary', 'never', 2, [0, 1500]),
  'freeze-daemon-primary': {
    ...kind('holdfastd stands still', 'primary', 'never', 2, [200, 3000]),
    standsStill: true,
  },
  'freeze-daemon-secondary': kind('holdfastd stands still', 'secondary', 'never', 2, [200, 3000]),
  'kill-plane-primary': kind('kill -9 of the data plane', 'primary', 'may', 3, [0, 1500]),
  'kill-plane-secondary': kind('kill -9 of the data plane', 'secondary', 'never', 2, [0, 1500]),
  'freeze-plane-primary': kind('the data plane stands still', 'primary', 'may', 2, [200, 3000]),
  'freeze-plane-secondary': kind(
    'the data plane stands still',
    'secondary',
    'never',
    2,
    [200, 3000],
  ),
  'kill-application': {
    ...kind('kill -9 of the application', 'primary', 'never', 2, [0, 300]),
    killsApplication: true,
  },
  'power-off-primary': kind('power cut', 'primary', 'may', 5, [0, 2500]),
  'power-off-secondary': kind('power cut', 'secondary', 'never', 3, [0, 2500]),
  'power-off-both': kind('power cut of both nodes', 'pair', 'may', 2, [0, 1000]),
  'hang-primary': kind(
    'the node stands still until a watchdog resets it',
    'primary',
    'may',
    2,
    [400, 900],
  ),
  'freeze-primary': {
    ...kind('the node stands still for a moment', 'primary', 'never', 2, [50, 400]),
    standsStill: true,
  },
  'freeze-secondary': kind('the node stands still', 'secondary', 'never', 2, [50, 3000]),
  'cut-primary': kind('all cables of the node', 'primary', 'may', 3, [200, 3000]),
  'cut-secondary': kind('all cables of the node', 'secondary', 'never', 2, [200, 3000]),
  'cut-first-lan': kind('the cable of replication and clients', 'primary', 'never', 2, [200, 3000]),
  'cut-second-lan': kind('the cable of heartbeats only', 'primary', 'never', 1, [200, 3000]),
  separate: kind('the nodes lose each other, not the witness', 'pair', 'never', 3, [200, 3000]),
  'one-way-from-primary': kind('one-way cut', 'pair', 'never', 2, [200, 3000]),
  'one-way-from-secondary': kind('one-way cut', 'pair', 'never', 2, [200, 3000]),
  loss: kind('5 to 25 % of all frames get lost', 'pair', 'never', 2, [500, 3000]),
  'kill-witness': kind('kill -9 of the witness', 'witness', 'never', 2, [0, 2000]),
  'clock-jump-primary': kind('the clock jumps by hours', 'primary', 'never', 1, [300, 1500]),
  'clock-jump-secondary': kind('the clock jumps by hours', 'secondary', 'never', 1, [300, 1500]),
  'full-disk-primary': {
    ...kind('no space left', 'primary', 'never', 2, [200, 1500]),
    killsApplication: true,
  },
  'full-disk-secondary': {
    ...kind('no space left', 'secondary', 'never', 2, [200, 1500]),
    // When another fault makes it the primary while it is full.
    killsApplication: true,
  },
  swap: kind('operator: swap', 'pair', 'planned', 3, [0, 500]),
  'stop-start-primary': kind('operator: stop, then start', 'primary', 'planned', 2, [0, 1500]),
  'stop-start-secondary': kind('operator: stop, then start', 'secondary', 'never', 2, [0, 1500]),
  'stopstart-primary': kind('operator: stopstart', 'primary', 'planned', 2, [0, 500]),
  'restart-primary': kind('operator: restart', 'primary', 'never', 2, [0, 300]),
  'stop-both': kind('operator: stop on both, then start', 'pair', 'planned', 1, [0, 1000]),
  'upgrade-primary': kind('another data plane is installed', 'primary', 'never', 2, [0, 1000]),
  'upgrade-secondary': kind('another data plane is installed', 'secondary', 'never', 2, [0, 1000]),
  'upgrade-both': kind('another data plane is installed', 'pair', 'never', 2, [0, 1000]),
  'upgrade-copy': kind('one with another copy is installed', 'pair', 'never', 1, [0, 1000]),
} as const satisfies Readonly<Record<string, Kind>>

/**
 * Faults of one round that silence a primary completely (its daemon, and the way its data takes) while its application runs on: the
 * other node may take over. Only a watchdog ends the application in time: see "A killed daemon, then a cut" in docs/GUARANTEES.md.
 */
export function silencePrimary(names: readonly KindName[]): boolean {
  return both(names, daemonIsSilent, linkIsSilent)
}

/**
 * Faults of one round after which the primary can ask neither the other node nor the witness: it stops rather than go on without the
 * right, and whoever gets the right first serves.
 */
export function isolatePrimary(names: readonly KindName[]): boolean {
  return both(names, witnessIsAway, secondaryIsAway)
}

/** Two faults, one of each: a fault that does both does them one after the other. */
function both(
  names: readonly KindName[],
  ones: readonly KindName[],
  others: readonly KindName[],
): boolean {
  return names.some((name, index) => {
    const beside = names.filter((_, at) => at !== index)
    return ones.includes(name) && beside.some((other) => others.includes(other))
  })
}

/** Restarts the daemon at first; when it is there again, it replaces the data plane. */
const bothAreUpgraded: readonly KindName[] = ['upgrade-both', 'upgrade-copy']
const primaryIsUpgraded: readonly KindName[] = ['upgrade-primary', ...bothAreUpgraded]
const daemonIsSilent: readonly KindName[] = [
  'kill-daemon-primary',
  'freeze-daemon-primary',
  ...primaryIsUpgraded,
]
const nodesAreSeparate: readonly KindName[] = [
  'separate',
  'one-way-from-primary',
  'one-way-from-secondary',
]
const linkIsSilent: readonly KindName[] = [
  'kill-plane-primary',
  'freeze-plane-primary',
  'cut-primary',
  'cut-first-lan',
  ...primaryIsUpgraded,
  ...nodesAreSeparate,
]
/** It is on the first LAN only. */
const witnessIsAway: readonly KindName[] = ['kill-witness', 'cut-first-lan', 'cut-primary']
const secondaryIsAway: readonly KindName[] = [
  'kill-daemon-secondary',
  'freeze-daemon-secondary',
  'freeze-secondary',
  'power-off-secondary',
  'cut-secondary',
  'upgrade-secondary',
  ...bothAreUpgraded,
  ...nodesAreSeparate,
]

export type KindName = keyof typeof kinds

export function isKind(name: string): name is KindName {
  return Object.hasOwn(kinds, name)
}

/** With the fields that only some kinds have. */
export function kindOf(name: KindName): Kind {
  return kinds[name]
}

export function kindNames(): readonly KindName[] {
  return Object.keys(kinds).filter(isKind)
}

function kind(
  what: string,
  victim: Victim,
  failover: Failover,
  weight: number,
  holdMs: readonly [number, number],
): Kind {
  return { what, victim, failover, weight, holdMs }
}
