/**
 * The node that received an order carries it through: prepare on all nodes, write the decision down, commit on all.
 * Presumed abort: a transaction without a written decision did not happen.
 */
import { randomBytes } from 'node:crypto'
import { type Clock, HoldfastError, type Peers } from '@holdfast/sdk'
import { expectedFailure } from '../files/failure.js'
import { bindErrorsMax } from '../xml/bind.js'
import type { ModulePackage } from '../packages/package.js'
import type { Participant } from './participant.js'
import {
  decisionTimeoutMs,
  type ModuleOrder,
  type Outcome,
  type Prepared,
  preparedOf,
  prepareTimeoutMs,
  type Question,
  questionTimeoutMs,
} from './protocol.js'
import type { Records } from './records.js'
import { partsOf } from './transfer.js'

export const decisionFormat = { format: 'module-decision', version: 1 }
const decisionsMax = 200

export interface OrderResult {
  readonly warnings: readonly string[]
}

export class Coordinator {
  private readonly running = new Set<string>()

  constructor(
    /** By transaction. */
    private readonly decisions: Records,
    private readonly clock: Pick<Clock, 'wallMs'>,
    private readonly peers: Pick<Peers, 'self' | 'call'>,
    private readonly participant: Participant,
  ) {}

  /**
   * Rejects with all findings when one node refuses or can't be reached; then nothing was changed anywhere. `nodes`: only
   * these, of the nodes of the module.
   */
  async carryOut(
    order: ModuleOrder,
    sources: ModulePackage | undefined,
    nodes: readonly string[] = order.nodes,
  ): Promise<OrderResult> {
    return await this.transaction(async (transaction) => {
      const { warnings } = await this.prepareAll(transaction, order, sources, nodes)
      await this.writeDecision(transaction)
      const late = await this.tellAll(nodes, { kind: 'commit', transaction })
      return { warnings: [...warnings, ...late] }
    })
  }

  /** Would all nodes of the module carry it out? Rejects like `carryOut`, and changes nothing either way. */
  async verify(order: ModuleOrder, sources: ModulePackage): Promise<OrderResult> {
    return await this.transaction(async (transaction) => {
      const result = await this.prepareAll(transaction, order, sources, order.nodes)
      await this.tellAll(order.nodes, { kind: 'abort', transaction })
      return result
    })
  }

  private async transaction<T>(work: (transaction: string) => Promise<T>): Promise<T> {
    const transaction = `${this.peers.self}-${randomBytes(8).toString('hex')}`
    this.running.add(transaction)
    try {
      return await work(transaction)
    } finally {
      this.running.delete(transaction)
    }
  }

  private async prepareAll(
    transaction: string,
    order: ModuleOrder,
    sources: ModulePackage | undefined,
    nodes: readonly string[],
  ): Promise<OrderResult> {
    const answers = await Promise.all(
      nodes.map((node) => this.prepare(node, transaction, order, sources)),
    )
    const refusal = refusalOf(order, answers)
    if (refusal === undefined) return { warnings: merged(answers, ({ warnings }) => warnings) }
    await this.tellAll(nodes, { kind: 'abort', transaction })
    throw refusal
  }

  /** For a participant that was not told. */
  async outcome(transaction: string): Promise<Outcome> {
    if (this.running.has(transaction)) return 'pending'
    const decision = await this.decisions.read(transaction)
    return decision === undefined ? 'aborted' : 'committed'
  }

  private async prepare(
    node: string,
    transaction: string,
    order: ModuleOrder,
    sources: ModulePackage | undefined,
  ): Promise<Answer> {
    try {
      const { self } = this.peers
      if (node === self) {
        const pending = { transaction, coordinator: self, order }
        return { node, ...(await this.participant.prepare(pending, sources)) }
      }
      const parts = sources === undefined ? [] : await partsOf(sources)
      for (const [index, data] of parts.entries()) {
        const part: Question = { kind: 'part', transaction, index, count: parts.length, data }
        await this.peers.call(node, part, questionTimeoutMs)
      }
      const question: Question = { kind: 'prepare', transaction, order }
      return { node, ...preparedOf(await this.peers.call(node, question, prepareTimeoutMs)) }
    } catch (thrown) {
      return { node, findings: [], warnings: [], failure: expectedFailure(thrown) }
    }
  }

  /** Returns a sentence for each node that could not be told; it will ask. */
  private async tellAll(
    nodes: readonly string[],
    decision: {
      readonly kind: 'commit' | 'abort'
      readonly transaction: string
    },
  ): Promise<readonly string[]> {
    const { kind, transaction } = decision
    const outcome = kind === 'commit' ? 'committed' : 'aborted'
    const told = await Promise.all(
      nodes.map(async (node) => {
        try {
          if (node === this.peers.self) await this.participant.decide(transaction, outcome)
          else await this.peers.call(node, decision, decisionTimeoutMs)
          return []
        } catch (thrown) {
          const { message } = expectedFailure(thrown)
          return [`node ${node} will follow when it is back: ${message}`]
        }
      }),
    )
    return told.flat()
  }

  private async writeDecision(transaction: string): Promise<void> {
    await this.decisions.write(transaction, { atMs: this.clock.wallMs() })
    await this.forgetOldest()
  }

  /** By time of the decision: a node that was away for 200 orders must be configured again. */
  private async forgetOldest(): Promise<void> {
    const names = await this.decisions.names()
    if (names.length <= decisionsMax) return
    const dated = await Promise.all(
      names.map(async (name) => ({ name, atMs: atMsOf(await this.decisions.read(name)) })),
    )
    dated.sort((a, b) => a.atMs - b.atMs)
    for (const { name } of dated.slice(0, names.length - decisionsMax)) {
      await this.decisions.remove(name)
    }
  }
}

interface Answer extends Prepared {
  readonly node: string
  readonly failure?: HoldfastError
}

function refusalOf(order: ModuleOrder, answers: readonly Answer[]): HoldfastError | undefined {
  const failed = answers.find(({ failure }) => failure !== undefined)
  const lines = merged(answers, ({ findings }) => findings)
  if (lines.length > 0) {
    const rest = lines.length - bindErrorsMax
    const more = rest > 0 ? [`… and ${String(rest)} more`] : []
    const message = [...lines.slice(0, bindErrorsMax), ...more].join('\n')
    const code = order.kind === 'config' ? 'E_CONFIG_INVALID' : 'E_MODULE_REFUSED'
    return new HoldfastError(code, message, { hint: 'nothing was changed; correct it and repeat' })
  }
  if (failed?.failure === undefined) return undefined
  const { code, message, hint } = failed.failure
  return new HoldfastError(code, `node ${failed.node}: ${message}`, {
    hint: `nothing was changed; ${hint ?? 'repeat the order when the node is back'}`,
    cause: failed.failure,
  })
}

/** What all nodes say is told once, the rest with the nodes that say it. */
function merged(
  answers: readonly Answer[],
  said: (answer: Answer) => readonly string[],
): readonly string[] {
  const nodesOf = new Map<string, string[]>()
  for (const answer of answers) {
    for (const text of said(answer)) nodesOf.set(text, [...(nodesOf.get(text) ?? []), answer.node])
  }
  return [...nodesOf].map(([text, nodes]) =>
    nodes.length === answers.length ? text : `${text} (node ${nodes.join(', ')})`,
  )
}

function atMsOf(body: unknown): number {
  if (typeof body !== 'object' || body === null || !('atMs' in body)) return 0
  return typeof body.atMs === 'number' ? body.atMs : 0
}
