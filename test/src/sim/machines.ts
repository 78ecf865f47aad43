/** The machines that the simulator knows, by name. */
import { HoldfastError } from '@holdfast/sdk'
import { failoverMachine } from './failover/index.js'
import { journalMachine } from './journal/index.js'
import { lifecycleMachine } from './lifecycle/index.js'
import { lightMachine } from './light/index.js'
import type { SimMachine } from './machine.js'
import { membershipMachine } from './membership/index.js'
import { mirrorMachine } from './mirror-machine.js'
import { rfsMachine } from './rfs/index.js'

export const machines: readonly SimMachine[] = [
  mirrorMachine,
  membershipMachine,
  rfsMachine,
  journalMachine,
  lifecycleMachine,
  lightMachine,
  failoverMachine,
]

/** Throws E_SIM_USAGE. */
export function machineNamed(name: string): SimMachine {
  const machine = machines.find((one) => one.name === name)
  if (machine !== undefined) return machine
  const known = machines.map((one) => one.name).join(', ')
  throw new HoldfastError('E_SIM_USAGE', `there is no machine "${name}": known are ${known}`)
}
