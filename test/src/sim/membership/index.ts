/** Who is heard and who is silent, in the simulator: the product's membership machine on lossy, cut and attacked LANs. */
import type { SimMachine } from '../machine.js'
import { runHistory } from './history.js'
import { mutants } from './mutants.js'
import { profiles } from './setting.js'
import { transitions } from './transitions.js'

export const membershipMachine: SimMachine = {
  name: 'membership',
  standardHistories: 1_000,
  profiles: profiles.map(({ name }) => name),
  transitions,
  mutants,
  run: runHistory,
}
