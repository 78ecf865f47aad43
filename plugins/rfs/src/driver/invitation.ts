/** What a node must have before its data plane can follow: where the serving one listens, a session, a place for what diverged. */
import type { ReplicaEvent } from '@holdfast/sdk'
import { asideFor } from '../diverged/sets.js'
import type { DriverParts } from './parts.js'
import { pause } from './plane.js'
import { type Refusal, refusal } from './refusal.js'
import { askSession, resolveAddress, type Session } from './sessions.js'

/** Whoever speaks another version does so until it is upgraded: the topology asks again at once, and need not. */
const otherVersionWaitMs = 10_000

/** After so many copies in a row that led to nothing the next one waits, twice as long each time. */
const promptAttempts = 2
const firstRestMs = 1_000
const restMsMost = 10_000

/** How long a node rests that was not made equal so many times in a row: its disk is full perhaps, and each attempt costs the primary a comparison. */
export function restAfter(fruitless: number): number {
  if (fruitless < promptAttempts) return 0
  return Math.min(restMsMost, firstRestMs * 2 ** (fruitless - promptAttempts))
}

export interface Invitation extends Session {
  readonly address: string
  readonly aside?: string
}

export class Invitations {
  /** For people: why this node does not follow yet. */
  line: string | undefined
  /** Copies in a row that ended before both nodes were equal. */
  private fruitless = 0
  private lastCause = ''
  private isInvited = false

  constructor(private readonly parts: DriverParts) {}

  /** What the topology is told of the link. */
  heard(event: ReplicaEvent): void {
    if (event.kind === 'copyFinished') this.fruitless = 0
    if (event.kind !== 'linkLost' || !this.isInvited) return
    this.isInvited = false
    this.fruitless++
    this.lastCause = event.cause
  }

  /** This node was told not to follow any more: whoever lets it follow again may have repaired something. */
  forget(): void {
    this.isInvited = false
    this.fruitless = 0
  }

  async ask(wanted: {
    readonly epoch: number
    /** Of the data plane that is to follow. */
    readonly speaks: number | undefined
    readonly abandons: string | undefined
  }): Promise<Invitation | Refusal> {
    await this.rest()
    const { peers, config } = this.parts
    const { epoch, speaks, abandons } = wanted
    const directories = config.rfs.replicated.map(({ dir }) => dir)
    const [node] = peers.others
    if (node === undefined) {
      return refusal('E_RFS_ALONE', 'the module has no other node to follow')
    }
    const address = await resolveAddress(peers.address(node, config.rfs.flow?.name), node)
    if (typeof address !== 'string') return address
    const session = await askSession(peers, node, { epoch, speaks })
    if ('ok' in session) return this.refused(session)
    this.isInvited = true
    return { address, ...session, ...(await asideFor(abandons, { ...this.parts, directories })) }
  }

  private async refused(why: Refusal): Promise<Refusal> {
    if (why.code !== 'E_RFS_VERSION') return why
    const { log } = this.parts
    log.write('warning', 'versionsDiffer', { text: why.reason })
    await this.pauseSaying(why.reason, otherVersionWaitMs)
    return why
  }

  private async rest(): Promise<void> {
    const { fruitless, lastCause } = this
    const restMs = restAfter(fruitless)
    if (restMs === 0) return
    const next = `the next one begins after ${restMs / 1_000} s`
    await this.pauseSaying(
      `${fruitless} copies to this node ended early: ${lastCause}; ${next}`,
      restMs,
    )
  }

  private async pauseSaying(line: string, ms: number): Promise<void> {
    this.line = line
    await pause(this.parts.clock, ms)
    this.line = undefined
  }
}
