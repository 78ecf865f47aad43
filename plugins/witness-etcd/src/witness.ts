/** An etcd cluster as a witness: its endpoints are asked one after the other until one answers. */
import type { Claim, Log, Witness } from '@holdfast/sdk'
import { commit } from './gateway.js'
import { endpointsOf, type EtcdSettings } from './settings.js'
import { claimOf, claimTransaction } from './transaction.js'

/** An endpoint that is out of reach must leave time for the next one. */
export const endpointTimeoutMs = 1_000

export class EtcdWitness implements Witness {
  readonly id = 'witness-etcd'
  readonly exclusive = true
  readonly #settings: EtcdSettings
  readonly #world: { readonly log: Log; readonly node: string }

  constructor(settings: EtcdSettings, world: { readonly log: Log; readonly node: string }) {
    this.#settings = settings
    this.#world = world
  }

  /** Asking a second endpoint is safe: what the first may have granted to this node is granted again. */
  async claim(module: string, generation: number, signal: AbortSignal): Promise<Claim> {
    const { cluster, prefix } = this.#settings['witness-etcd']
    const { node } = this.#world
    const transaction = claimTransaction({ prefix, cluster, module }, generation, node)
    for (const endpoint of endpointsOf(this.#settings)) {
      if (signal.aborted) break
      const patience = AbortSignal.any([signal, AbortSignal.timeout(endpointTimeoutMs)])
      const reply = await commit(endpoint, transaction, patience)
      const claim = reply.ok ? claimOf(reply.body, node) : undefined
      if (claim !== undefined) {
        this.#tell('event', { endpoint, generation, claim })
        return claim
      }
      const reason = reply.ok ? 'its answer is not that of etcd v3' : reply.reason
      this.#tell('warning', { endpoint, generation, claim: 'unknown', reason })
    }
    return 'unknown'
  }

  #tell(
    level: 'event' | 'warning',
    fields: {
      readonly endpoint: string
      readonly generation: number
      readonly claim: Claim
      readonly reason?: string
    },
  ): void {
    const { endpoint, generation, claim } = fields
    const text = `witness ${endpoint}: generation ${String(generation)} is ${claim}`
    this.#world.log.write(level, 'witnessAnswered', { text, ...fields })
  }
}
