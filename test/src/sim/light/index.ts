/** The light topology in the simulator: the product's machine, and one node whose scripts fail, hang and outlive the daemon. */
import type { SimMachine } from '../machine.js'
import { profiles, runHistory } from './history.js'
import { mutants } from './mutants.js'
import { transitions } from './transitions.js'

export const lightMachine: SimMachine = {
  name: 'light',
  standardHistories: 2_000,
  profiles,
  transitions,
  mutants,
  run: runHistory,
}
