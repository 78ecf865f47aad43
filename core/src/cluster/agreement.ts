/**
 * One configuration on all nodes: prepare on everybody, then commit. The decision is the coordinator's own state file;
 * a node that misses the commit fetches the configuration as soon as it hears of a higher revision. So after the
 * decision the new configuration reaches every node, and before it no node has changed anything.
 */
import { createHash } from 'node:crypto'
import {
  type Cancel,
  type Clock,
  HoldfastError,
  type Log,
  messageOf,
  type Peers,
} from '@holdfast/sdk'
import { type ClusterLayout, readLayout } from './config.js'

const prepareTimeoutMs = 10_000
const commitTimeoutMs = 10_000
/** A prepared node whose coordinator says nothing more is free again after this. */
const preparedMaxMs = 30_000
/** Heals whatever message was lost. */
const announcePeriodMs = 10_000

export interface Proposal {
  readonly revision: number
  readonly xml: string
}

export interface AgreementOptions {
  readonly peers: Peers
  readonly clock: Clock
  readonly log: Log
  readonly present: () => Proposal & { readonly joined: readonly string[] }
  /** Can this node live with it? Throws HoldfastError when not. Changes nothing. */
  readonly accept: (layout: ClusterLayout) => Promise<void>
  /** Makes it this node's configuration, durably, unless it has that revision already. */
  readonly apply: (proposal: Proposal) => Promise<void>
  /** Lets the running network follow what was applied. */
  readonly follow: () => void
}

type Order =
  | { readonly kind: 'prepare' | 'commit'; readonly revision: number; readonly xml: string }
  | { readonly kind: 'abort'; readonly revision: number }
  | { readonly kind: 'fetch' }

export class Agreement {
  private held: { readonly by: string; readonly untilMs: number } | undefined
  private fetching = false
  private readonly cancels: readonly Cancel[]

  constructor(private readonly options: AgreementOptions) {
    const { peers, clock } = options
    this.cancels = [
      peers.onCall((node, message) => this.answer(node, message)),
      peers.onMessage((node, message) => {
        this.onAnnounced(node, message)
      }),
      clock.every(announcePeriodMs, () => {
        for (const node of peers.others) this.announce(node)
      }),
    ]
  }

  stop(): void {
    for (const cancel of this.cancels) cancel()
  }

  /** Tells a node which revision this one has. */
  announce(node: string): void {
    const { revision, xml } = this.options.present()
    // When it does not arrive, the next announcement does the same.
    this.options.peers.send(node, { kind: 'revision', revision, digest: digestOf(xml) })
  }

  /** Applies `xml` on all nodes that have joined, or on none. */
  async propose(xml: string): Promise<void> {
    const { present, peers, accept, follow } = this.options
    const layout = readLayout(xml, 'cluster.xml')
    const { revision, joined } = present()
    const proposal = { revision: revision + 1, xml }
    // A node that has just joined may be connected before it is on the list.
    const connected = peers.others.filter((node) => peers.state(node).connected)
    const known = new Set([...joined, ...connected])
    const others = [...known].filter((node) => node !== peers.self).sort()
    const staying = others.filter((node) => layout.nodes.includes(node))
    // Who leaves is asked too when it is there: something may still run on it.
    const asked = others.filter((node) => staying.includes(node) || connected.includes(node))
    this.hold(peers.self, Number.POSITIVE_INFINITY)
    try {
      await accept(layout)
      this.insistConnected(staying)
      await this.prepareAll(asked, proposal)
      await this.decide(asked, proposal)
      await this.commitAll(others, proposal)
    } finally {
      this.held = undefined
    }
    follow()
  }

  private insistConnected(nodes: readonly string[]): void {
    const away = nodes.filter((node) => !this.options.peers.state(node).connected)
    if (away.length === 0) return
    const list = away.join(', ')
    throw new HoldfastError(
      'E_CLUSTER_UNREACHABLE',
      `not connected: ${list}; nothing was changed`,
      {
        hint: `start holdfastd there, or leave the node out of cluster.xml to remove it from the cluster`,
      },
    )
  }

  private async prepareAll(nodes: readonly string[], proposal: Proposal): Promise<void> {
    const outcomes = await this.callAll(nodes, { kind: 'prepare', ...proposal }, prepareTimeoutMs)
    const failed = outcomes.find((outcome) => outcome.error !== undefined)
    if (failed?.error === undefined) return
    await this.abortAll(nodes, proposal)
    const { code, message, hint } = failed.error
    throw new HoldfastError(
      code,
      `${failed.node}: ${message}; nothing was changed on any node`,
      hint === undefined ? {} : { hint },
    )
  }

  /** From here on the configuration is in force, and nothing takes it back. */
  private async decide(nodes: readonly string[], proposal: Proposal): Promise<void> {
    try {
      await this.options.apply(proposal)
    } catch (thrown) {
      await this.abortAll(nodes, proposal)
      throw thrown
    }
  }

  private async abortAll(nodes: readonly string[], { revision }: Proposal): Promise<void> {
    await this.callAll(nodes, { kind: 'abort', revision }, commitTimeoutMs)
  }

  private async commitAll(nodes: readonly string[], proposal: Proposal): Promise<void> {
    const outcomes = await this.callAll(nodes, { kind: 'commit', ...proposal }, commitTimeoutMs)
    for (const { node, error } of outcomes) {
      if (error === undefined) continue
      const fields = { node, revision: proposal.revision, cause: error.message }
      this.options.log.write('warning', 'clusterConfigFollowsLater', fields)
    }
  }

  private async callAll(nodes: readonly string[], order: Order, timeoutMs: number) {
    return Promise.all(
      nodes.map(async (node) => {
        try {
          await this.options.peers.call(node, order, timeoutMs)
          return { node, error: undefined }
        } catch (thrown) {
          if (!(thrown instanceof HoldfastError)) throw thrown
          return { node, error: thrown }
        }
      }),
    )
  }

  private async answer(node: string, message: unknown): Promise<unknown> {
    const order = orderOf(message)
    switch (order?.kind) {
      case 'prepare':
        await this.prepare(node, order)
        return { prepared: order.revision }
      case 'commit':
        await this.options.apply(order)
        this.release(node)
        // After the answer is on its way: the connection that carries it may be one that goes away.
        setImmediate(this.options.follow)
        return { applied: order.revision }
      case 'abort':
        this.release(node)
        return { aborted: order.revision }
      case 'fetch': {
        const { revision, xml } = this.options.present()
        return { revision, xml }
      }
      case undefined:
        throw new HoldfastError('E_CLUSTER_ORDER', 'this order is not known here', {
          hint: 'install the same version of Holdfast on all nodes',
        })
    }
  }

  private async prepare(node: string, proposal: Proposal): Promise<void> {
    const { revision } = this.options.present()
    if (proposal.revision !== revision + 1) {
      const what = `the configuration here is revision ${String(revision)}, the proposed one ${String(proposal.revision)}`
      throw new HoldfastError('E_CLUSTER_REVISION', what, {
        hint: 'the nodes are being brought to the same revision: try again in some seconds',
      })
    }
    this.hold(node, this.options.clock.monotonicMs() + preparedMaxMs)
    try {
      await this.options.accept(readLayout(proposal.xml, 'cluster.xml'))
    } catch (thrown) {
      this.release(node)
      throw thrown
    }
  }

  private hold(by: string, untilMs: number): void {
    const { held } = this
    if (held !== undefined && held.untilMs > this.options.clock.monotonicMs()) {
      throw new HoldfastError('E_CLUSTER_BUSY', `${held.by} is applying a configuration`, {
        hint: 'try again when it is done',
      })
    }
    this.held = { by, untilMs }
  }

  private release(by: string): void {
    if (this.held?.by === by) this.held = undefined
  }

  private onAnnounced(node: string, message: unknown): void {
    const announced = revisionOf(message)
    if (announced === undefined) return
    const { revision, xml } = this.options.present()
    if (announced.revision < revision) this.announce(node)
    if (announced.revision === revision && announced.digest !== digestOf(xml)) {
      this.options.log.write('critical', 'clusterConfigDiffers', { node, revision })
    }
    if (announced.revision > revision && !this.fetching) void this.catchUp(node)
  }

  private async catchUp(node: string): Promise<void> {
    const { peers, log, apply, follow } = this.options
    this.fetching = true
    try {
      const proposal = proposalOf(await peers.call(node, { kind: 'fetch' }, commitTimeoutMs))
      if (proposal === undefined) return
      readLayout(proposal.xml, 'cluster.xml')
      await apply(proposal)
      log.write('event', 'clusterConfigFetched', { node, revision: proposal.revision })
      follow()
    } catch (thrown) {
      if (!(thrown instanceof HoldfastError)) throw thrown
      log.write('warning', 'clusterConfigNotFetched', { node, cause: messageOf(thrown) })
    } finally {
      this.fetching = false
    }
  }
}

function digestOf(xml: string): string {
  return createHash('sha256').update(xml).digest('hex')
}

function orderOf(message: unknown): Order | undefined {
  if (typeof message !== 'object' || message === null || !('kind' in message)) return undefined
  const { kind } = message
  if (kind === 'fetch') return { kind }
  const proposal = proposalOf(message)
  if (kind === 'prepare' || kind === 'commit') {
    return proposal === undefined ? undefined : { kind, ...proposal }
  }
  const isAbort = kind === 'abort' && 'revision' in message && typeof message.revision === 'number'
  return isAbort ? { kind, revision: Number(message.revision) } : undefined
}

function proposalOf(message: unknown): Proposal | undefined {
  if (typeof message !== 'object' || message === null) return undefined
  if (!('revision' in message) || !('xml' in message)) return undefined
  const { revision, xml } = message
  if (typeof revision !== 'number' || !Number.isSafeInteger(revision)) return undefined
  return typeof xml === 'string' ? { revision, xml } : undefined
}

function revisionOf(message: unknown): { revision: number; digest: string } | undefined {
  if (typeof message !== 'object' || message === null) return undefined
  if (!('revision' in message) || !('digest' in message)) return undefined
  const { revision, digest } = message
  if (typeof revision !== 'number' || typeof digest !== 'string') return undefined
  return { revision, digest }
}
