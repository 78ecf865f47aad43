/** Ends what is prepared on this node and was not decided, because a node or its daemon went down meanwhile: it asks. */
import type { HoldfastError, Peers } from '@holdfast/sdk'
import { expectedFailure } from '../files/failure.js'
import type { Coordinator } from './coordinator.js'
import type { Participant, Pending } from './participant.js'
import { type Outcome, type Question, questionTimeoutMs } from './protocol.js'

export interface SettlementOptions {
  readonly participant: Participant
  readonly coordinator: Coordinator
  readonly peers: Pick<Peers, 'self' | 'call'>
  /** All nodes of the cluster. */
  readonly nodes: () => readonly string[]
  /** It stays undecided for now. */
  readonly onUndecided: (pending: Pending, failure: HoldfastError) => void
}

export class Settlement {
  private isUnderWay = false

  constructor(private readonly options: SettlementOptions) {}

  /** To be called now and then; while it is under way, another call does nothing. */
  async settle(): Promise<void> {
    if (this.isUnderWay) return
    this.isUnderWay = true
    const { participant, onUndecided } = this.options
    for (const pending of participant.list()) {
      try {
        const outcome = await this.outcomeOf(pending)
        if (outcome !== 'pending') await participant.decide(pending.transaction, outcome)
      } catch (thrown) {
        onUndecided(pending, expectedFailure(thrown))
      }
    }
    this.isUnderWay = false
  }

  private async outcomeOf({ transaction, coordinator }: Pending): Promise<Outcome> {
    const { peers, nodes } = this.options
    if (coordinator === peers.self) return await this.options.coordinator.outcome(transaction)
    // A node that left the cluster can't have committed with us: members are needed for that.
    if (!nodes().includes(coordinator)) return 'aborted'
    const question: Question = { kind: 'outcome', transaction }
    const answer = await peers.call(coordinator, question, questionTimeoutMs)
    if (typeof answer !== 'object' || answer === null || !('outcome' in answer)) return 'pending'
    const { outcome } = answer
    return outcome === 'committed' || outcome === 'aborted' ? outcome : 'pending'
  }
}
