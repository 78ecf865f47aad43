/** rfs: synchronous file replication of the module's directories. */
import { fileURLToPath } from 'node:url'
import {
  checker,
  clock,
  command,
  definePlugin,
  exec,
  HoldfastError,
  log,
  moduleContext,
  peers,
  remark,
  replica,
  type ReplicaEvent,
  resource,
  store,
} from '@holdfast/sdk'
import { divergedCommands } from './diverged/commands.js'
import { setsOf } from './diverged/sets.js'
import { RfsDriver } from './driver/driver.js'
import { areServed } from './driver/mounts.js'
import { placesCommands } from './driver/places.js'
import { launchOf, type RfsConfig } from './driver/settings.js'
import { estimateCommands } from './estimate/commands.js'
import { Syncat } from './syncat/syncat.js'
import { syncatCommands } from './syncat/commands.js'
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
    const { verify, syncat: times } = config.rfs
    const syncat = times === undefined ? undefined : new Syncat({ ...deps, schedule: times })
    const onTold = (event: ReplicaEvent): void => syncat?.heard(event)
    const driver = new RfsDriver({ ...deps, config, entry, onTold })
    const cancel = deps.peers.onCall((node, message) => driver.admissions.answer(node, message))
    scope.provide(replica, driver)
    scope.contribute(resource, 'rfs', driver)
    scope.contribute(remark, 'code', { text: driver.remark })
    const directories = config.rfs.replicated.map(({ dir }) => dir)
    const commands = divergedCommands({
      base: setsOf(deps.module),
      directories,
      areServed: () => areServed(directories),
    })
    const placing = placesCommands(driver.places, () => areServed(directories))
    const { verifications } = driver
    const verifying = verificationCommands(verifications, driver.status, () => syncat?.line)
    const syncing = syncatCommands(syncat)
    const { journal, volumes, zoneBytes, copyBytesPerSecond } = launchOf(config, deps.module)
    const estimating = estimateCommands({
      exec: deps.exec,
      status: driver.status,
      place: { directory: journal, volumes, zoneBytes },
      bytesPerSecondMost: copyBytesPerSecond,
    })
    for (const [words, one] of [...commands, ...placing, ...verifying, ...estimating, ...syncing]) {
      scope.contribute(command, words, one)
    }
    if (syncat !== undefined) {
      scope.contribute(resource, syncat.id, syncat)
      scope.contribute(checker, 'rfs.syncat', syncat)
    }
    const schedules = [
      ...(verify === undefined ? [] : [verifications.schedule(verify)]),
      ...(syncat === undefined ? [] : [syncat.begin()]),
    ]
    scope.onStop(() => {
      for (const unschedule of schedules) unschedule()
      cancel()
      driver.disconnect()
    })
  },
})
