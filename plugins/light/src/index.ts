/** The light topology: a node runs the application or it does not; other nodes don't matter to it. */
import { clock, definePlugin, log, resource, store, topology } from '@holdfast/sdk'
import { LightDriver } from './driver/driver.js'
import { type LightSettings, machineConfig } from './settings.js'

const needs = { clock, log, store, resources: resource }

export const plugin = definePlugin<typeof needs, LightSettings>({
  needs,
  activate(deps, settings, scope) {
    const driver = new LightDriver(deps, machineConfig(settings))
    scope.contribute(topology, 'light', driver)
    scope.onStop(() => driver.stop())
  },
})
