/** A witness in an etcd that is there already. */
import { definePlugin, log, moduleContext, witness } from '@holdfast/sdk'
import { type EtcdSettings, type Finding, findingsOf } from './settings.js'
import { EtcdWitness } from './witness.js'

export const plugin = definePlugin({
  needs: { log, module: moduleContext },
  activate({ log, module }, settings: EtcdSettings, scope) {
    const etcd = new EtcdWitness(settings, { log, node: module.node })
    scope.contribute(witness, 'witness-etcd', etcd)
  },
})

/** Asked on each node before a configuration is applied. Changes nothing. */
export function check(settings: EtcdSettings): Promise<{
  readonly errors: readonly Finding[]
  readonly warnings: readonly Finding[]
}> {
  return Promise.resolve({ errors: findingsOf(settings), warnings: [] })
}
