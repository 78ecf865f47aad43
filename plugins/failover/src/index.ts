/** failover: owns the resources of a module, watches them by its checkers, and acts by its rules. */
import {
  checker,
  clock,
  command,
  definePlugin,
  HoldfastError,
  live,
  log,
  peers,
  remark,
  store,
  topology,
} from '@holdfast/sdk'
import { commandsOf } from './commands.js'
import { FailoverDriver } from './driver/driver.js'
import { switchedOff } from './explain.js'
import { readRules } from './language/rule-set.js'
import type { FailoverSettings } from './settings.js'

const needs = { clock, log, peers, store, checkers: live(checker), topologies: topology }
const defaultPeriodMs = 5_000

export const plugin = definePlugin<typeof needs, FailoverSettings>({
  needs,
  async activate(deps, { failover }, scope) {
    const [only] = deps.topologies
    if (only === undefined) throw new HoldfastError('E_FAILOVER_TOPOLOGY', 'there is no topology')
    const { rules, errors } = readRules(failover?.$text ?? '', {
      nodes: deps.peers.others.length + 1,
    })
    const [error] = errors
    if (error !== undefined) throw new HoldfastError('E_FAILOVER_RULES', error.message)
    const driver = new FailoverDriver({
      ...deps,
      topology: only,
      rules: {
        extends: failover?.extends ?? true,
        operator: rules,
        periodMs: failover?.period ?? defaultPeriodMs,
        handleTimeMs: failover?.handle_time,
      },
    })
    scope.onStop(() => driver.stop())
    await driver.begin()
    for (const [words, one] of commandsOf(driver, deps.clock)) scope.contribute(command, words, one)
    scope.contribute(remark, 'checkers', {
      text: () => (driver.state().enabled ? undefined : switchedOff),
    })
  },
})

export { check } from './settings.js'
