/** The witness server's side on the nodes: asks the servers of `<witness>` who may go on. */
import { definePlugin, HoldfastError, log, moduleContext, witness } from '@holdfast/sdk'
import { reachServer } from './client.js'
import { readKeyFile } from './keyfile.js'
import { type Finding, findingsOf, parseAddress, type WitnessSettings } from './settings.js'
import { ServerWitness } from './witness.js'

/** Five servers must fit into the time that a check has. */
const reachTimeoutMs = 1_500

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
  const warnings: Finding[] = []
  for (const [index, { addr, keyfile }] of settings.witness.server.entries()) {
    try {
      const enrolment = await readKeyFile(keyfile)
      const address = parseAddress(addr)
      if (address === undefined) continue
      const reason = await reachServer({ address, enrolment }, reachTimeoutMs)
      if (reason === undefined) continue
      // It may be down for a moment: no reason to refuse. But nobody should learn it from a failover.
      const message = `the witness ${addr} can't be asked from this node now: ${reason}`
      warnings.push({ path: `/witness/server/${String(index)}/addr`, message })
    } catch (thrown) {
      if (!(thrown instanceof HoldfastError)) throw thrown
      const message = `${thrown.message}: ${thrown.hint ?? ''}`
      errors.push({ path: `/witness/server/${String(index)}/keyfile`, message })
    }
  }
  return { errors, warnings }
}
