/**
 * Messages and calls between the same owner (`node/<plugin>`, `<module>/<plugin>`) on different nodes, all of them
 * over the one stream of a pair.
 */
import { assert, type Cancel, type Clock, HoldfastError } from '@holdfast/sdk'
import { type Frame, messageBytesMax } from './wire.js'

const callsOpenMax = 1024
const callsAnsweringMax = 256

export type OnMessage = (node: string, message: unknown) => void
export type OnCall = (node: string, message: unknown) => Promise<unknown>

interface OpenCall {
  readonly node: string
  readonly settle: (outcome: { readonly body: unknown } | HoldfastError) => void
}

export interface ExchangeOptions {
  readonly clock: Clock
  readonly send: (node: string, frame: Frame) => boolean
  /** An answer did not fit into the queue: the caller must not wait for its time-out. */
  readonly breakStream: (node: string, cause: string) => void
}

export class Exchange {
  private readonly listeners = new Map<string, Set<OnMessage>>()
  private readonly answerers = new Map<string, OnCall>()
  private readonly open = new Map<number, OpenCall>()
  private readonly answering = new Map<string, number>()
  /** Counts the lost connections to a node: an answer belongs to the connection of its question. */
  private readonly epochs = new Map<string, number>()
  private nextId = 1

  constructor(private readonly options: ExchangeOptions) {}

  onMessage(owner: string, on: OnMessage): Cancel {
    const listeners = this.listeners.get(owner) ?? new Set()
    this.listeners.set(owner, listeners.add(on))
    return () => {
      listeners.delete(on)
      if (listeners.size === 0 && this.listeners.get(owner) === listeners) {
        this.listeners.delete(owner)
      }
    }
  }

  onCall(owner: string, answer: OnCall): Cancel {
    assert(!this.answerers.has(owner), `${owner} answers calls only once`)
    this.answerers.set(owner, answer)
    return () => {
      if (this.answerers.get(owner) === answer) this.answerers.delete(owner)
    }
  }

  send(node: string, owner: string, message: unknown): boolean {
    assertFits(owner, message)
    return this.options.send(node, { kind: 'message', owner, body: message })
  }

  async call(node: string, owner: string, message: unknown, timeoutMs: number): Promise<unknown> {
    assertFits(owner, message)
    const id = this.nextId++
    const fields = { node, owner }
    return new Promise((resolve, reject) => {
      const cancelTimer = this.options.clock.after(timeoutMs, () => {
        const what = `${node} did not answer ${owner} within ${String(timeoutMs)} ms`
        this.settle(id, new HoldfastError('E_PEER_TIMEOUT', what, { fields }))
      })
      const settle: OpenCall['settle'] = (outcome) => {
        cancelTimer()
        if (outcome instanceof HoldfastError) reject(outcome)
        else resolve(outcome.body)
      }
      const fits = this.open.size < callsOpenMax
      this.open.set(id, { node, settle })
      if (fits && this.options.send(node, { kind: 'call', owner, id, body: message })) return
      const what = `${node} is not connected, or too much waits to be sent to it`
      this.settle(id, new HoldfastError('E_PEER_UNREACHABLE', what, { fields }))
    })
  }

  /** The stream to `node` ended: none of the open calls will be answered. */
  disconnected(node: string): void {
    this.epochs.set(node, this.epochOf(node) + 1)
    for (const [id, call] of [...this.open]) {
      if (call.node !== node) continue
      const what = `the connection to ${node} was lost before it answered`
      this.settle(id, new HoldfastError('E_PEER_LOST', what, { fields: { node } }))
    }
  }

  receive(node: string, frame: Frame): void {
    switch (frame.kind) {
      case 'message':
        for (const on of [...(this.listeners.get(frame.owner) ?? [])]) on(node, frame.body)
        return
      case 'call':
        void this.answer(node, frame)
        return
      case 'answer':
        this.settleFrom(node, frame.id, { body: frame.body })
        return
      case 'refusal': {
        const { id, code, reason, hint } = frame
        const options = hint === undefined ? {} : { hint }
        this.settleFrom(node, id, new HoldfastError(code, reason, options))
        return
      }
      default:
        return
    }
  }

  private async answer(node: string, call: Frame & { kind: 'call' }): Promise<void> {
    const { id, owner } = call
    const epoch = this.epochOf(node)
    const reply = (frame: Frame): void => {
      if (this.epochOf(node) === epoch) this.reply(node, frame)
    }
    const refuse = (code: string, reason: string, hint?: string): void => {
      reply({ kind: 'refusal', id, code, reason, hint })
    }
    const answerer = this.answerers.get(owner)
    const running = this.answering.get(node) ?? 0
    if (answerer === undefined) {
      refuse('E_PEER_OWNER', `${owner} does not run on the other node`)
      return
    }
    if (running >= callsAnsweringMax) {
      refuse('E_PEER_BUSY', 'the other node answers too many calls already')
      return
    }
    this.answering.set(node, running + 1)
    try {
      const body = await answerer(node, call.body)
      assertFits(owner, body)
      reply({ kind: 'answer', id, body: body ?? null })
    } catch (thrown) {
      if (!(thrown instanceof HoldfastError)) throw thrown
      refuse(thrown.code, thrown.message, thrown.hint)
    } finally {
      this.answering.set(node, (this.answering.get(node) ?? 1) - 1)
    }
  }

  private reply(node: string, frame: Frame): void {
    if (!this.options.send(node, frame)) {
      this.options.breakStream(node, 'an answer does not fit into the queue')
    }
  }

  private epochOf(node: string): number {
    return this.epochs.get(node) ?? 0
  }

  private settleFrom(node: string, id: number, outcome: Parameters<OpenCall['settle']>[0]): void {
    if (this.open.get(id)?.node === node) this.settle(id, outcome)
  }

  private settle(id: number, outcome: Parameters<OpenCall['settle']>[0]): void {
    const call = this.open.get(id)
    this.open.delete(id)
    call?.settle(outcome)
  }
}

function assertFits(owner: string, message: unknown): void {
  const bytes = Buffer.byteLength(JSON.stringify(message ?? null))
  if (bytes <= messageBytesMax) return
  throw new HoldfastError(
    'E_PEER_MESSAGE_SIZE',
    `a message of ${owner} has ${String(bytes)} bytes, at most ${String(messageBytesMax)} are allowed`,
    { hint: 'send large data over a stream of your own' },
  )
}
