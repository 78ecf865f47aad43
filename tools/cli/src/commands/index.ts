/** All commands, in the order of the help. */
import type { CommandSpec } from '../spec.js'
import { clusterCommand } from './cluster.js'
import { completionCommand } from './completion.js'
import { logCommand } from './log.js'
import { moduleCommand } from './module.js'
import { orderCommands } from './orders.js'
import { stateCommand } from './state.js'
import { waitstateCommand } from './waitstate.js'

export const commands: readonly CommandSpec[] = [
  stateCommand,
  ...orderCommands,
  waitstateCommand,
  logCommand,
  moduleCommand,
  clusterCommand,
  completionCommand,
]
