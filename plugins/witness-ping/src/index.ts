/** Addresses outside the pair as a witness, as the operators of other products know it. Not exclusive. */
import { definePlugin, type Exec, exec, log, pingProblem, witness } from '@holdfast/sdk'
import { addressesOf, type Finding, findingsOf, type PingSettings } from './settings.js'
import { PingWitness } from './witness.js'

export const plugin = definePlugin({
  needs: { exec, log },
  activate(deps, settings: PingSettings, scope) {
    scope.contribute(witness, 'witness-ping', new PingWitness(addressesOf(settings), deps))
  },
})

/** Asked on each node before a configuration is applied. Changes nothing. */
export async function check(
  settings: PingSettings,
  context: { readonly exec: Exec },
): Promise<{ readonly errors: readonly Finding[]; readonly warnings: readonly Finding[] }> {
  const problem = await pingProblem(context.exec)
  const missing = problem === undefined ? [] : [{ path: '/witness-ping', message: problem }]
  const warning =
    'a pinged address is no exclusive witness: when only the cables between the nodes are cut, both reach it and both run the application; <witness> or <witness-etcd> lets one go on'
  return {
    errors: [...findingsOf(settings), ...missing],
    warnings: [{ path: '/witness-ping', message: warning }],
  }
}
