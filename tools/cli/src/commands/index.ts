/** All commands, in the order of the help. */
import type { CommandSpec } from '../spec.js'
import { clusterCommand } from './cluster.js'
import { completionCommand } from './completion.js'
import { logCommand } from './log.js'
import { moduleCommand } from './module.js'
import { notifyCommand } from './notify.js'
import { orderCommands } from './orders.js'
import { registryCommand } from './registry.js'
import { pluginCommand } from './plugin.js'
import { stateCommand } from './state.js'
import { trustCommand } from './trust.js'
import { waitstateCommand } from './waitstate.js'

export const commands: readonly CommandSpec[] = [
  stateCommand,
  ...orderCommands,
  waitstateCommand,
  logCommand,
  moduleCommand,
  pluginCommand,
  trustCommand,
  registryCommand,
  notifyCommand,
  clusterCommand,
  completionCommand,
]
