/** rfs: synchronous file replication of the module's directories. */
import { fileURLToPath } from 'node:url'
import {
  clock,
  command,
  definePlugin,
  exec,
  HoldfastError,
  log,
  moduleContext,
  peers,
  replica,
  resource,
  store,
} from '@holdfast/sdk'
import { divergedCommands } from './diverged/commands.js'
import { setsOf } from './diverged/sets.js'
import { RfsDriver } from './driver/driver.js'
import { areServed } from './driver/mounts.js'
import type { RfsConfig } from './driver/settings.js'
import { verificationCommands } from './verification/commands.js'

export { check } from './driver/check.js'
export { delays } from './driver/settings.js'

const needs = { clock, exec, log, module: moduleContext, peers, store }

export const plugin = definePlugin<typeof needs, RfsConfig>({
  needs,
  activate(deps, config, scope) {
    const flow = config.rfs.flow?.name
    const [peer] = deps.peers.others
    if (flow !== undefined && peer !== undefined && deps.peers.address(peer, flow) === undefined) {
      throw new HoldfastError(
        'E_RFS_FLOW',
        `<flow name="${flow}">: ${peer} is on no LAN of this name`,
        {
          hint: 'name a LAN of cluster.xml that both nodes are on',
        },
      )
    }
    const entry = fileURLToPath(new URL('./plane/main.js', import.meta.url))
    const driver = new RfsDriver({ ...deps, config, entry })
    const cancel = deps.peers.onCall((node, message) => driver.admissions.answer(node, message))
    scope.provide(replica, driver)
    scope.contribute(resource, 'rfs', driver)
    const directories = config.rfs.replicated.map(({ dir }) => dir)
    const commands = divergedCommands({
      base: setsOf(deps.module),
      directories,
      areServed: () => areServed(directories),
    })
    const { verifications } = driver
    const verifying = verificationCommands(verifications, driver.status)
    for (const [words, one] of [...commands, ...verifying]) scope.contribute(command, words, one)
    const { verify } = config.rfs
    const unschedule = verify === undefined ? undefined : verifications.schedule(verify)
    scope.onStop(() => {
      unschedule?.()
      cancel()
      driver.disconnect()
    })
  },
})
