/** watchdog: the machine that serves a module is reset when nobody decides about the module any more. */
import {
  clock,
  definePlugin,
  HoldfastError,
  liveness,
  log,
  moduleContext,
  resource,
} from '@holdfast/sdk'
import { openDevice, problemOf } from './device.js'
import { Guard } from './guard.js'
import { Keeper, type OnOrderlyEnd } from './keeper.js'
import type { WatchdogSettings } from './settings.js'

export { check } from './check.js'
export { delays } from './settings.js'

/** A device is one for the machine and can be opened once, and modules are many: what they share is this table, by path. */
const keepers = new Map<string, Keeper>()

/** The daemon that ends with 0 was stopped by its operator; the application goes on, and nobody is to be punished for it. */
const onOrderlyEnd: OnOrderlyEnd = (call) => {
  process.once('exit', (code) => {
    if (code === 0) call()
  })
}

function keeperOf(path: string): Keeper {
  const known = keepers.get(path)
  if (known !== undefined) return known
  const keeper = new Keeper((seconds) => openDevice(path, seconds), onOrderlyEnd)
  keepers.set(path, keeper)
  return keeper
}

export const plugin = definePlugin({
  needs: { clock, log, module: moduleContext, liveness },
  activate(deps, { watchdog: settings }: WatchdogSettings, scope) {
    if (settings.mode === 'off') return
    const problem = problemOf(settings.device)
    if (problem !== undefined && settings.mode === 'required') {
      throw new HoldfastError('E_WATCHDOG_NONE', `the module requires a watchdog: ${problem}`)
    }
    const keeper = keeperOf(settings.device)
    const guard = new Guard({ ...deps, module: deps.module.name, keeper, settings })
    scope.contribute(resource, 'watchdog', guard)
    scope.onStop(() => guard.disarm())
  },
})
