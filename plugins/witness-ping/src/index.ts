/** Addresses outside the pair as a witness, as the operators of other products know it. Not exclusive. */
import { definePlugin, type Exec, exec, HoldfastError, log, witness } from '@holdfast/sdk'
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
  const errors = [...findingsOf(settings), ...(await missingCommand(context.exec))]
  const warning =
    'a pinged address is no exclusive witness: when only the cables between the nodes are cut, both reach it and both run the application; <witness> or <witness-etcd> lets one go on'
  return { errors, warnings: [{ path: '/witness-ping', message: warning }] }
}

async function missingCommand(exec: Exec): Promise<readonly Finding[]> {
  const found = (why: string): readonly Finding[] => [
    { path: '/witness-ping', message: `"ping" does not work here (${why}): install iputils-ping` },
  ]
  try {
    const { code, stderr } = await exec.run('ping', ['-V'], { timeoutMs: 2_000 })
    return code === 0 ? [] : found(stderr.trim().slice(0, 200))
  } catch (thrown) {
    if (!(thrown instanceof HoldfastError)) throw thrown
    return found(thrown.message)
  }
}
