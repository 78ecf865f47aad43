/** The stream of this node with one other node: does what route.ts decides, and tells it what became of it. */
import type { TLSSocket } from 'node:tls'
import { assertNever, type Cancel, type Clock } from '@holdfast/sdk'
import type { LogGate } from './log-gate.js'
import {
  initialRoute,
  type Route,
  type RouteAction,
  type RouteEvent,
  type RouteLan,
  step,
} from './route.js'
import type { Stream } from './stream.js'
import type { Hello } from './wire.js'

/** From the start of a dial to the greeting of the other side. */
export const dialTimeoutMs = 5_000

export interface LinkOptions {
  readonly clock: Clock
  readonly gate: LogGate
  /** It is this node that dials. */
  readonly dials: boolean
  /** Those that both nodes are on, in order of preference, and what is known of them now. */
  readonly lans: () => readonly RouteLan[]
  /** Undefined: an address is not resolved. */
  readonly connect: (lan: string) => TLSSocket | undefined
  /** `onNever` is called when the stream ends before it opened. */
  readonly greet: (socket: TLSSocket, lan: string, onNever: (cause: string) => void) => Stream
  readonly onDisconnected: (lan: string, cause: string) => void
}

interface Dial {
  readonly cancelTimer: Cancel
  readonly end: (cause: string) => void
}

export class Link {
  private route: Route
  private open: { readonly stream: Stream; readonly hello: Hello } | undefined
  private dial: Dial | undefined
  private cancelWait: Cancel = () => undefined
  private isEnded = false

  constructor(
    readonly node: string,
    private readonly options: LinkOptions,
  ) {
    this.route = initialRoute(options.dials)
  }

  get stream(): Stream | undefined {
    return this.open?.stream
  }

  /** What the present stream's other side said of itself. */
  get hello(): Hello | undefined {
    return this.open?.hello
  }

  begin(): void {
    this.happened({ kind: 'waited', lans: this.options.lans() })
  }

  /** With each pulse. */
  tick(): void {
    this.happened({ kind: 'ticked', lans: this.options.lans() })
  }

  opened(stream: Stream, hello: Hello): void {
    // The other side dials again only when it has lost the older stream, even if we have not noticed yet.
    this.disconnect('replaced by a newer connection')
    this.dial?.cancelTimer()
    this.dial = undefined
    this.open = { stream, hello }
    const nowMs = this.options.clock.monotonicMs()
    this.happened({ kind: 'opened', lan: stream.lan, nowMs })
  }

  /** An open stream ended by itself. */
  closed(stream: Stream, cause: string): void {
    if (this.stream !== stream) return
    this.open = undefined
    this.options.onDisconnected(stream.lan, cause)
    this.happened({ kind: 'closed', nowMs: this.options.clock.monotonicMs() })
  }

  /** The other node is no longer wanted: nothing happens here any more, but that an open stream is `closed`. */
  end(code: string, reason: string): void {
    this.isEnded = true
    this.cancelWait()
    this.endDial('no longer wanted')
    this.stream?.dismiss(code, reason)
  }

  private happened(event: RouteEvent): void {
    if (this.isEnded) return
    const { next, actions } = step(this.route, event)
    this.route = next
    for (const action of actions) this.obey(action)
  }

  private obey(action: RouteAction): void {
    switch (action.kind) {
      case 'dial':
        this.dialOver(action.lan)
        return
      case 'wait':
        this.cancelWait = this.options.clock.after(action.delayMs, () => {
          this.begin()
        })
        return
      case 'leave':
        this.endDial(action.cause)
        this.disconnect(action.cause)
        return
      default:
        assertNever(action)
    }
  }

  private dialOver(lan: string): void {
    // Whoever heard that the stream was left may have ended the link.
    if (this.isEnded) return
    this.cancelWait()
    const { clock, connect, greet } = this.options
    const socket = connect(lan)
    if (socket === undefined) {
      this.failed(lan, 'its address is not resolved')
      return
    }
    let stream: Stream | undefined
    const dial: Dial = {
      cancelTimer: clock.after(dialTimeoutMs, () => {
        fail('no answer in time')
      }),
      end: (cause) => {
        if (stream === undefined) socket.destroy()
        else stream.close(cause)
      },
    }
    this.dial = dial
    const fail = (cause: string): void => {
      if (this.dial !== dial) return
      this.endDial(cause)
      this.failed(lan, cause)
    }
    socket.on('error', (error: Error) => {
      fail(error.message)
    })
    socket.once('close', () => {
      fail('closed by the other side')
    })
    socket.once('secureConnect', () => {
      if (this.dial === dial) stream = greet(socket, lan, fail)
    })
  }

  private failed(lan: string, cause: string): void {
    const { node } = this
    // Another cause is news: a node that was off and comes back with a foreign certificate must not stay "refused" for a minute.
    const subject = `${node} ${lan} ${cause}`
    this.options.gate.write('info', 'peerNotReached', subject, { node, lan, cause })
    this.happened({ kind: 'dialFailed' })
  }

  private endDial(cause: string): void {
    const { dial } = this
    this.dial = undefined
    dial?.cancelTimer()
    dial?.end(cause)
  }

  private disconnect(cause: string): void {
    const { stream } = this
    if (stream === undefined) return
    this.open = undefined
    stream.close(cause)
    this.options.onDisconnected(stream.lan, cause)
  }
}
