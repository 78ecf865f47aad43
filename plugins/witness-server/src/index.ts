/** The witness server's side on the nodes: asks the servers of `<witness>` who may go on. */
import { definePlugin, HoldfastError, log, moduleContext, witness } from '@holdfast/sdk'
import { readKeyFile } from './keyfile.js'
import { type Finding, findingsOf, type WitnessSettings } from './settings.js'
import { ServerWitness } from './witness.js'

export const plugin = definePlugin({
  needs: { log, module: moduleContext },
  activate({ log, module }, settings: WitnessSettings, scope) {
    scope.contribute(
      witness,
      'witness-server',
      new ServerWitness(settings.witness.server, { log, node: module.node }),
    )
  },
})

/** Asked on each node before a configuration is applied: is the key there, and closed to others? Changes nothing. */
export async function check(
  settings: WitnessSettings,
): Promise<{ readonly errors: readonly Finding[]; readonly warnings: readonly Finding[] }> {
  const errors = findingsOf(settings)
  for (const [index, { keyfile }] of settings.witness.server.entries()) {
    try {
      await readKeyFile(keyfile)
    } catch (thrown) {
      if (!(thrown instanceof HoldfastError)) throw thrown
      const message = `${thrown.message}: ${thrown.hint ?? ''}`
      errors.push({ path: `/witness/server/${String(index)}/keyfile`, message })
    }
  }
  return { errors, warnings: [] }
}
