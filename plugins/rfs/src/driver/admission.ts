/** Serving side: lets one follower in, and hands each session to it exactly once. */
import { type Clock, HoldfastError, type Verdict } from '@holdfast/sdk'
import { pause } from './plane.js'
import type { PlaneOrder, PlaneStatus } from './protocol.js'
import { newSession, questionOf, type Session } from './sessions.js'

/** How long a follower that asks a little too early is kept waiting. */
const admissionWaitMs = 5_000
const lookAgainMs = 20

interface Admission {
  readonly epoch: number
  readonly full: boolean
  readonly session: Session
  readonly isTaken: boolean
}

export class Admissions {
  private present: Admission | undefined

  constructor(
    private readonly parts: {
      readonly clock: Clock
      readonly node: string
      readonly port: number
      readonly order: (order: PlaneOrder) => Promise<Verdict>
      /** Of this node's data plane. */
      readonly status: () => Promise<PlaneStatus | undefined>
    },
  ) {}

  async admit(order: { readonly epoch: number; readonly full: boolean }): Promise<Verdict> {
    const { epoch, full } = order
    const session = newSession(this.parts.port)
    this.present = undefined
    const { session: id, key } = session
    const verdict = await this.parts.order({ order: 'admit', epoch, full, session: id, key })
    if (verdict.ok) this.present = { epoch, full, session, isTaken: false }
    return verdict
  }

  /** The follower is gone, or this node does not serve any more. */
  withdraw(): void {
    this.present = undefined
  }

  /** Answers the follower's plugin. Rejects with HoldfastError. */
  async answer(node: string, message: unknown): Promise<object> {
    const question = questionOf(message)
    if (question === undefined) {
      throw new HoldfastError(
        'E_RFS_PROTOCOL',
        `${this.parts.node} does not understand the question`,
      )
    }
    const status = await this.parts.status()
    if (question.ask === 'code') return { code: status?.code }
    const problem = versionProblem(this.parts.node, status?.speaks, node, question.speaks)
    if (problem !== undefined) throw new HoldfastError('E_RFS_VERSION', problem)
    return this.hand(node, question.epoch)
  }

  /** Never the same session twice. Rejects when this node is not admitted. */
  async hand(node: string, epoch: number): Promise<Session> {
    const deadline = this.parts.clock.monotonicMs() + admissionWaitMs
    while (this.present?.epoch !== epoch && this.parts.clock.monotonicMs() < deadline) {
      await pause(this.parts.clock, lookAgainMs)
    }
    // It was handed out and got lost on the way: a session is never used twice.
    if (this.present?.epoch === epoch && this.present.isTaken) await this.admit(this.present)
    const { present } = this
    if (present?.epoch !== epoch || present.isTaken) {
      throw new HoldfastError('E_RFS_NOT_ADMITTED', `${node} is not admitted as a follower`)
    }
    this.present = { ...present, isTaken: true }
    return present.session
  }
}

/** What says nothing of its version is let in: the copy asks again. Undefined: they understand each other. */
function versionProblem(
  server: string,
  ours: number | undefined,
  follower: string,
  theirs: number | undefined,
): string | undefined {
  if (ours === undefined || theirs === undefined || ours === theirs) return undefined
  const older = ours < theirs ? server : follower
  return `the data plane of ${server} speaks version ${ours} of the copy, that of ${follower} version ${theirs}: upgrade ${older} too`
}
