/** A network in memory between instances of one plugin on several nodes. */
import { HoldfastError, messageOf } from '../errors.js'
import type { Cancel, PeerEvent, Peers, PeerState } from '../services.js'

type OnMessage = (node: string, message: unknown) => void
type OnCall = (node: string, message: unknown) => Promise<unknown>
type OnEvent = (event: PeerEvent) => void

/** Messages arrive in order, a turn of the loop later, as JSON. Tests cut and restore the whole link of a node. */
export class TestNetwork {
  private readonly nodes = new Map<string, TestPeers>()
  private readonly cutOff = new Set<string>()

  constructor(names: readonly string[] = ['n1', 'n2']) {
    const sorted = [...names].sort()
    for (const name of sorted) this.nodes.set(name, new TestPeers(name, sorted, this))
  }

  node(name: string): TestPeers {
    const found = this.nodes.get(name)
    if (found === undefined) throw new Error(`the test network has no node ${name}`)
    return found
  }

  cut(name: string): void {
    this.cutOff.add(name)
    this.tellAll(name, 'peerDisconnected')
  }

  restore(name: string): void {
    this.cutOff.delete(name)
    this.tellAll(name, 'peerConnected')
  }

  reaches(one: string, other: string): boolean {
    return !this.cutOff.has(one) && !this.cutOff.has(other)
  }

  private tellAll(name: string, kind: 'peerConnected' | 'peerDisconnected'): void {
    for (const [other, peers] of this.nodes) {
      if (other === name) for (const node of peers.others) peers.tell(node, { kind, node })
      else peers.tell(name, { kind, node: name })
    }
  }
}

export class TestPeers implements Peers {
  readonly others: readonly string[]
  private readonly messages = new Set<OnMessage>()
  private readonly watchers = new Map<OnEvent, string>()
  private answer: OnCall | undefined

  constructor(
    readonly self: string,
    names: readonly string[],
    private readonly network: TestNetwork,
  ) {
    this.others = names.filter((name) => name !== self)
  }

  /** Handlers that are still registered: none may be left after a plugin has stopped. */
  get pending(): number {
    return this.messages.size + this.watchers.size + (this.answer === undefined ? 0 : 1)
  }

  state(node: string): PeerState {
    const connected = this.network.reaches(this.self, node)
    return { node, lans: [], connected, incarnation: connected ? 'boot-1' : undefined }
  }

  watch(node: string, _options: unknown, on: OnEvent): Cancel {
    this.watchers.set(on, node)
    const { connected } = this.state(node)
    on({ kind: connected ? 'peerConnected' : 'peerDisconnected', node })
    return () => this.watchers.delete(on)
  }

  /** For tests: tells an event to whoever watches `node`. */
  tell(node: string, event: PeerEvent): void {
    for (const [on, watched] of [...this.watchers]) if (watched === node) on(event)
  }

  send(node: string, message: unknown): boolean {
    if (!this.network.reaches(this.self, node)) return false
    const sent = asJson(message)
    setImmediate(() => {
      for (const on of this.network.node(node).messages) on(this.self, sent)
    })
    return true
  }

  onMessage(on: OnMessage): Cancel {
    this.messages.add(on)
    return () => this.messages.delete(on)
  }

  async call(node: string, message: unknown): Promise<unknown> {
    const { answer } = this.network.node(node)
    if (!this.network.reaches(this.self, node) || answer === undefined) {
      throw new HoldfastError('E_PEER_DISCONNECTED', `node ${node} does not answer`)
    }
    try {
      return asJson(await answer(this.self, asJson(message)))
    } catch (thrown) {
      if (thrown instanceof HoldfastError) throw thrown
      throw new HoldfastError('E_PEER_FAILED', `node ${node}: ${messageOf(thrown)}`)
    }
  }

  onCall(answer: OnCall): Cancel {
    this.answer = answer
    return () => {
      if (this.answer === answer) this.answer = undefined
    }
  }

  address(): string | undefined {
    return '127.0.0.1'
  }
}

/** What gets through a wire. */
function asJson(message: unknown): unknown {
  const text = JSON.stringify(message) as string | undefined // undefined for what is not JSON.
  return text === undefined ? undefined : JSON.parse(text)
}
