/** The mirror topology: two nodes, one of them runs the application, the other has its data. */
import {
  clock,
  definePlugin,
  HoldfastError,
  log,
  moduleContext,
  optional,
  peers,
  replica,
  resource,
  store,
  topology,
  witness,
} from '@holdfast/sdk'
import { MirrorDriver } from './driver/driver.js'
import { machineConfig, type MirrorSettings } from './settings.js'

export const plugin = definePlugin({
  needs: {
    clock,
    log,
    module: moduleContext,
    peers,
    store,
    resources: resource,
    witnesses: witness,
    replica: optional(replica),
  },
  activate(deps, settings: MirrorSettings, scope) {
    const { module } = deps
    const peer = module.nodes.find((node) => node !== module.node)
    if (peer === undefined || module.nodes.length !== 2) {
      throw new HoldfastError('E_MIRROR_NODES', 'a mirror runs on exactly two nodes', {
        hint: 'configure the module for two nodes of the cluster',
      })
    }
    const config = machineConfig(settings, {
      self: module.node,
      peer,
      hasWitness: deps.witnesses.length > 0,
    })
    const lans = settings.heart.heartbeat.map(({ name }) => name)
    const driver = new MirrorDriver({ ...deps, lans, random: Math.random }, config)
    scope.contribute(topology, 'mirror', driver)
    scope.onStop(async () => {
      await driver.stop()
    })
  },
})

export { check } from './settings.js'
export { initialState, nothingKnown, step } from './decide/decide.js'
export { formatGeneration } from './decide/lineage.js'
export { type Shown, shownOf } from './decide/shown.js'
export type {
  Action,
  Event,
  Memory,
  Message,
  MirrorConfig,
  Place,
  State,
  Step,
  View,
} from './decide/types.js'
