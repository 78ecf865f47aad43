/** What a node must have before its data plane can follow: where the serving one listens, a session, a place for what diverged. */
import { asideFor } from '../diverged/sets.js'
import type { DriverParts } from './parts.js'
import { pause } from './plane.js'
import { type Refusal, refusal } from './refusal.js'
import { askSession, resolveAddress, type Session } from './sessions.js'

/** Whoever speaks another version does so until it is upgraded: the topology asks again at once, and need not. */
const otherVersionWaitMs = 10_000

export interface Invitation extends Session {
  readonly address: string
  readonly aside?: string
}

export class Invitations {
  /** For people: the other node speaks another version. */
  line: string | undefined

  constructor(private readonly parts: DriverParts) {}

  async ask(wanted: {
    readonly epoch: number
    /** Of the data plane that is to follow. */
    readonly speaks: number | undefined
    readonly abandons: string | undefined
    readonly directories: readonly string[]
  }): Promise<Invitation | Refusal> {
    const { peers, config } = this.parts
    const { epoch, speaks, abandons, directories } = wanted
    const [node] = peers.others
    if (node === undefined) {
      return refusal('E_RFS_ALONE', 'the module has no other node to follow')
    }
    const address = await resolveAddress(peers.address(node, config.rfs.flow?.name), node)
    if (typeof address !== 'string') return address
    const session = await askSession(peers, node, { epoch, speaks })
    if ('ok' in session) return this.refused(session)
    return { address, ...session, ...(await asideFor(abandons, { ...this.parts, directories })) }
  }

  private async refused(why: Refusal): Promise<Refusal> {
    if (why.code !== 'E_RFS_VERSION') return why
    const { log, clock } = this.parts
    log.write('warning', 'versionsDiffer', { text: why.reason })
    this.line = why.reason
    await pause(clock, otherVersionWaitMs)
    this.line = undefined
    return why
  }
}
