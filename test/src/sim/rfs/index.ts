/** Replication and resynchronisation in the simulator: the product's journal, windows and rules on disks that lose what was not synced. */
import type { SimMachine } from '../machine.js'
import { profiles, runHistory } from './history.js'
import { mutants } from './mutants.js'
import { transitions } from './transitions.js'

export const rfsMachine: SimMachine = {
  name: 'rfs',
  standardHistories: 1_000,
  profiles: profiles.map(({ name }) => name),
  transitions,
  mutants,
  run: runHistory,
}
