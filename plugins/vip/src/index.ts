/** The vip plugin: virtual addresses that follow the node which serves. */
import {
  clock,
  definePlugin,
  type Exec,
  exec,
  log,
  peers,
  resource,
  store,
  watchedAddress,
  watchedInterface,
} from '@holdfast/sdk'

import type { VipConfig } from './config.js'
import { VipResource } from './driver.js'
import { VipKernel } from './kernel.js'
import { PeerInterfaces } from './neighbours.js'
import { type OtherModule, type Problem, problemsOf } from './wanted.js'
import { watchedAddresses, watchedInterfaces } from './watched.js'

export const plugin = definePlugin({
  needs: { clock, exec, log, peers, store },
  async activate(deps, config: VipConfig, scope) {
    const kernel = new VipKernel(deps.exec)
    const peerInterfaces = new PeerInterfaces({ ...deps, kernel })
    await peerInterfaces.open(scope)
    const addresses = new VipResource(config, { ...deps, kernel, peerInterfaces })
    scope.contribute(resource, 'vip', addresses)
    scope.onStop(() => addresses.rest())
    for (const one of watchedInterfaces(config, await kernel.interfaces())) {
      scope.contribute(watchedInterface, one.ident, one)
    }
    for (const one of watchedAddresses(config, () => peerInterfaces.macs())) {
      scope.contribute(watchedAddress, one.address, one)
    }
  },
})

/** Called on each node when a module is configured: does `<vip>` fit this node's network? Changes nothing. */
export async function check(
  config: VipConfig,
  context: { readonly exec: Exec; readonly others: readonly OtherModule[] },
): Promise<{ readonly errors: readonly Problem[] }> {
  const interfaces = await new VipKernel(context.exec).interfaces()
  return { errors: problemsOf(config, interfaces, context.others) }
}
