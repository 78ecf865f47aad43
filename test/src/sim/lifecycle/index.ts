/** Configuring a module on all nodes or none, and activating its plugins, in the simulator: the product's own classes. */
import type { SimMachine } from '../machine.js'
import { profiles, runHistory } from './history.js'
import { mutants } from './mutants.js'
import { transitions } from './transitions.js'

export const lifecycleMachine: SimMachine = {
  name: 'lifecycle',
  standardHistories: 1_500,
  profiles,
  transitions,
  mutants,
  run: runHistory,
}
