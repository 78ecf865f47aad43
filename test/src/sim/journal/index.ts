/** The zone journal in the simulator: the product's own class on a disk that fills up, tears and loses. */
import type { SimMachine } from '../machine.js'
import { profiles, runHistory } from './history.js'
import { mutants } from './mutants.js'
import { transitions } from './transitions.js'

export const journalMachine: SimMachine = {
  name: 'journal',
  standardHistories: 1_500,
  profiles,
  transitions,
  mutants,
  run: runHistory,
}
