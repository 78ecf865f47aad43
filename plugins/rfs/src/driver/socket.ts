/** The plugin's end of the control socket: orders out, answers and events in, as JSON lines. */
import { connect, type Socket } from 'node:net'
import type { Cancel, Clock } from '@holdfast/sdk'
import { lineBytesMax, type PlaneEvent, type PlaneOrder } from './protocol.js'
import { type Refusal, refusal } from './refusal.js'
import { parseLine, type Incoming } from './wire.js'

const pendingMax = 64

export interface SocketEvents {
  onEvent(event: PlaneEvent): void
  /** Once, whoever closed it. */
  onClosed(cause: string): void
}

/** A verdict, and the fields of the answer when it is ok. */
export type Answer =
  { readonly ok: true; readonly fields: Readonly<Record<string, unknown>> } | Refusal

interface Pending {
  readonly settle: (answer: Answer) => void
  readonly cancel: Cancel
}

export class PlaneSocket {
  private readonly pending = new Map<number, Pending>()
  private nextId = 1
  private received = ''
  private closed = false

  private constructor(
    private readonly socket: Socket,
    private readonly clock: Clock,
    private readonly events: SocketEvents,
  ) {
    socket.setEncoding('utf8')
    socket.on('data', (chunk: string) => {
      this.receive(chunk)
    })
    socket.on('error', (error) => {
      this.end(error.message)
    })
    socket.on('close', () => {
      this.end('the data plane closed the control socket')
    })
  }

  /** Undefined: nobody listens there. */
  static open(path: string, clock: Clock, events: SocketEvents): Promise<PlaneSocket | undefined> {
    return new Promise((resolve) => {
      const socket = connect(path)
      // Connecting to a Unix socket either works at once or fails (no file, nobody listens, backlog full).
      socket.once('error', () => {
        resolve(undefined)
      })
      socket.once('connect', () => {
        socket.removeAllListeners('error')
        resolve(new PlaneSocket(socket, clock, events))
      })
    })
  }

  /** Never rejects: no answer within `timeoutMs` and a closed socket are refusals. */
  order(order: PlaneOrder, timeoutMs: number): Promise<Answer> {
    const what = `order ${order.order} to the data plane`
    if (this.closed) return Promise.resolve(gone(what))
    if (this.pending.size >= pendingMax) {
      return Promise.resolve(refusal('E_RFS_BUSY_CONTROL', `${what}: too many wait for an answer`))
    }
    const id = this.nextId++
    return new Promise((resolve) => {
      const cancel = this.clock.after(timeoutMs, () => {
        this.settle(id, refusal('E_RFS_TIMEOUT', `${what}: no answer in ${String(timeoutMs)} ms`))
      })
      this.pending.set(id, { settle: resolve, cancel })
      this.socket.write(`${JSON.stringify({ id, ...order })}\n`)
    })
  }

  close(): void {
    this.end('closed by the plugin')
  }

  private receive(chunk: string): void {
    this.received += chunk
    for (;;) {
      const end = this.received.indexOf('\n')
      if (end < 0) break
      const line = this.received.slice(0, end)
      this.received = this.received.slice(end + 1)
      const incoming = parseLine(line)
      if (incoming === undefined) {
        this.end('the data plane sent a line that is not understood')
        return
      }
      this.take(incoming)
    }
    if (this.received.length > lineBytesMax) this.end('the data plane sent a line that is too long')
  }

  private take(incoming: Incoming): void {
    if (incoming.kind === 'event') this.events.onEvent(incoming.event)
    // An answer to an order that timed out has nobody waiting any more.
    if (incoming.kind === 'answer') this.settle(incoming.id, incoming.answer)
  }

  private settle(id: number, answer: Answer): void {
    const pending = this.pending.get(id)
    this.pending.delete(id)
    pending?.cancel()
    pending?.settle(answer)
  }

  private end(cause: string): void {
    if (this.closed) return
    this.closed = true
    this.socket.destroy()
    for (const id of [...this.pending.keys()]) this.settle(id, gone(cause))
    this.events.onClosed(cause)
  }
}

function gone(what: string): Refusal {
  return refusal('E_RFS_DEAD', `the data plane does not run (${what})`)
}
