/** All servers of `<witness>` as one witness: asked at the same moment, the majority decides. */
import { type Claim, HoldfastError, type Log, type Witness } from '@holdfast/sdk'
import { type Answer, askServer } from './client.js'
import { readKeyFile } from './keyfile.js'
import { verdictOf } from './majority.js'
import type { ClaimRequest } from './protocol.js'
import { parseAddress, type WitnessSettings } from './settings.js'

type Server = WitnessSettings['witness']['server'][number]

export class ServerWitness implements Witness {
  readonly id = 'witness-server'
  readonly exclusive = true
  readonly #servers: readonly Server[]
  readonly #world: { readonly log: Log; readonly node: string }

  constructor(servers: readonly Server[], world: { readonly log: Log; readonly node: string }) {
    this.#servers = servers
    this.#world = world
  }

  async claim(module: string, generation: number, signal: AbortSignal): Promise<Claim> {
    const request = { module, generation, node: this.#world.node }
    const answers = this.#servers.map((): Claim | undefined => undefined)
    const enough = new AbortController()
    const until = AbortSignal.any([signal, enough.signal])
    let decided: Claim | undefined
    await Promise.all(
      this.#servers.map(async (server, index) => {
        const answer = await this.#ask(server, request, until)
        if (decided !== undefined) return
        this.#tell(server, request, answer)
        answers[index] = answer.claim
        decided = verdictOf(answers)
        // The others can't change it any more: nobody waits for one that is out of reach.
        if (decided !== undefined) enough.abort()
      }),
    )
    return decided ?? 'unknown'
  }

  /** The key is read for each question: an operator can replace it without touching the module. */
  async #ask(server: Server, request: ClaimRequest, signal: AbortSignal): Promise<Answer> {
    const address = parseAddress(server.addr)
    if (address === undefined) return { claim: 'unknown', reason: 'its address is malformed' }
    try {
      const enrolment = await readKeyFile(server.keyfile)
      return await askServer({ address, enrolment, request }, signal)
    } catch (thrown) {
      if (!(thrown instanceof HoldfastError)) throw thrown
      return { claim: 'unknown', reason: thrown.message }
    }
  }

  #tell(server: Server, request: ClaimRequest, { claim, reason }: Answer): void {
    const { addr } = server
    const { generation } = request
    const level = claim === 'unknown' ? 'warning' : 'event'
    const why = claim === 'unknown' ? { reason } : {}
    const text = `witness ${addr}: generation ${String(generation)} is ${claim}`
    this.#world.log.write(level, 'witnessAnswered', { text, addr, generation, claim, ...why })
  }
}
