/** Failover rules in the simulator: the product's machine over a light module, its checkers and its operator. */
import type { SimMachine } from '../machine.js'
import { profiles, runHistory } from './history.js'
import { mutants } from './mutants.js'
import { transitions } from './transitions.js'

export const failoverMachine: SimMachine = {
  name: 'failover',
  standardHistories: 500,
  profiles,
  transitions,
  mutants,
  run: runHistory,
}
