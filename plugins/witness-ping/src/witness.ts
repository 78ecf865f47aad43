/**
 * A node that reaches something outside the pair may go on; one that reaches nothing is probably the one that is cut
 * off. That is no right: when only the cables between the nodes are cut, both reach it, and both go on.
 */
import { type Claim, type Exec, HoldfastError, type Log, ping, type Witness } from '@holdfast/sdk'

const withinSeconds = 1

export class PingWitness implements Witness {
  readonly id = 'witness-ping'
  readonly exclusive = false
  readonly #addresses: readonly string[]
  readonly #world: { readonly exec: Exec; readonly log: Log }

  constructor(addresses: readonly string[], world: { readonly exec: Exec; readonly log: Log }) {
    this.#addresses = addresses
    this.#world = world
  }

  /** All are asked at once, the first answer counts. Silence is never a no. */
  async claim(_module: string, generation: number, signal: AbortSignal): Promise<Claim> {
    const enough = new AbortController()
    const until = AbortSignal.any([signal, enough.signal])
    let reached: string | undefined
    await Promise.all(
      this.#addresses.map(async (address) => {
        if (!(await this.#answers(address, until))) return
        reached ??= address
        enough.abort()
      }),
    )
    const claim = reached === undefined ? 'unknown' : 'granted'
    const level = reached === undefined ? 'warning' : 'event'
    const addresses = this.#addresses.join(' ')
    const text = reached === undefined ? `no answer from ${addresses}` : `${reached} answers`
    this.#world.log.write(level, 'witnessAnswered', { text, generation, claim })
    return claim
  }

  async #answers(address: string, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false
    try {
      const question = { packets: 1, withinSeconds, signal }
      return (await ping(this.#world.exec, address, question)) === 'answers'
    } catch (thrown) {
      // The command is missing, or too many run already: the same as no answer, and said.
      if (!(thrown instanceof HoldfastError)) throw thrown
      this.#world.log.write('warning', 'pingFailed', { address, reason: thrown.message })
      return false
    }
  }
}
