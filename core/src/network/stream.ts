/** One open connection between two nodes: greeting, frames, keep-alive, and a written maximum of what waits in it. */
import type { Socket } from 'node:net'
import type { Cancel, Clock, Verdict } from '@holdfast/sdk'
import { type Codec, type Frame, framed, FrameCutter, type Hello } from './wire.js'

export const queuedMessagesMax = 1024
export const queuedBytesMax = 8 * 1024 * 1024
export const silenceMaxMs = 5_000
/** Often enough to be evidence of life for the shortest heart time-out. */
const alivePeriodMs = 250
const frozenGraceMs = 2_000
const goodbyeTimeoutMs = 1_000

export interface StreamOptions {
  readonly lan: string
  readonly codec: Codec
  readonly clock: Clock
  readonly hello: Hello
  /** Judges the first frame of the other side. A refusal is sent as goodbye. */
  readonly judge: (hello: Hello) => Verdict
  readonly onOpen: (stream: Stream, hello: Hello) => void
  readonly onFrame: (stream: Stream, frame: Frame) => void
  /** Called once, also for a stream that never opened. */
  readonly onClose: (stream: Stream, cause: string) => void
}

export class Stream {
  readonly lan: string
  private readonly cutter = new FrameCutter()
  private queuedMessages = 0
  private queuedBytes = 0
  private greeted = false
  private ended = false
  private receivedMs: number
  private checkedMs: number
  private sentSinceCheck = true
  private readonly cancelCheck: Cancel

  constructor(
    private readonly socket: Socket,
    private readonly options: StreamOptions,
  ) {
    this.lan = options.lan
    this.receivedMs = this.checkedMs = options.clock.monotonicMs()
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => {
      this.onData(chunk)
    })
    socket.on('error', (error) => {
      this.close(error.message)
    })
    socket.on('close', () => {
      this.close('closed by the other side')
    })
    this.cancelCheck = options.clock.every(alivePeriodMs, () => {
      this.check()
    })
    this.write(options.hello)
  }

  get isOpen(): boolean {
    return this.greeted && !this.ended
  }

  /** When anything last arrived. */
  get heardMs(): number {
    return this.receivedMs
  }

  /** False: the stream is not open or its queue is full, and nothing was sent. */
  send(frame: Frame): boolean {
    if (!this.isOpen || this.queuedMessages >= queuedMessagesMax) return false
    const bytes = framed(this.options.codec.encode(frame))
    if (this.queuedBytes + bytes.length > queuedBytesMax) return false
    this.put(bytes)
    return true
  }

  /** Ends the stream at once. What waited in it is lost. */
  close(cause: string): void {
    if (this.ended) return
    this.finish(cause)
    this.socket.destroy()
  }

  /** Says why before it ends the stream. */
  dismiss(code: string, reason: string): void {
    if (this.ended) return
    this.write({ kind: 'goodbye', code, reason })
    this.finish(reason)
    this.socket.destroySoon()
    const cancel = this.options.clock.after(goodbyeTimeoutMs, () => this.socket.destroy())
    this.socket.once('close', cancel)
  }

  private finish(cause: string): void {
    this.ended = true
    this.cancelCheck()
    this.socket.removeAllListeners('data')
    this.socket.resume() // Unread data would keep the socket from closing.
    this.options.onClose(this, cause)
  }

  private onData(chunk: Buffer): void {
    this.receivedMs = this.options.clock.monotonicMs()
    const payloads = this.cutter.push(chunk)
    if (payloads === undefined) {
      this.close('a frame has a length that is not allowed')
      return
    }
    for (const payload of payloads) {
      if (this.ended) return
      const frame = this.options.codec.decode(payload)
      if (frame === undefined) this.close('a frame is malformed')
      else this.onFrame(frame)
    }
  }

  private onFrame(frame: Frame): void {
    if (frame.kind === 'goodbye') {
      this.close(`${frame.code}: ${frame.reason}`)
      return
    }
    if (!this.greeted) {
      this.onGreeting(frame)
      return
    }
    if (frame.kind === 'alive' || frame.kind === 'unknown') return
    this.options.onFrame(this, frame)
  }

  private onGreeting(frame: Frame): void {
    if (frame.kind !== 'hello') {
      this.close('the first frame is not a greeting')
      return
    }
    const verdict = this.options.judge(frame)
    if (!verdict.ok) {
      this.dismiss(verdict.code, verdict.reason)
      return
    }
    this.greeted = true
    this.options.onOpen(this, frame)
  }

  /** A late check means that this process did not run: it gets two more seconds to read what has arrived. */
  private check(): void {
    const nowMs = this.options.clock.monotonicMs()
    const wasFrozen = nowMs - this.checkedMs > frozenGraceMs
    this.checkedMs = nowMs
    if (wasFrozen) {
      this.receivedMs = Math.max(this.receivedMs, nowMs - silenceMaxMs + frozenGraceMs)
    }
    if (nowMs - this.receivedMs > silenceMaxMs) {
      this.close(`silent for more than ${String(silenceMaxMs)} ms`)
      return
    }
    if (!this.sentSinceCheck) this.write({ kind: 'alive' })
    this.sentSinceCheck = false
  }

  private write(frame: Frame): void {
    this.put(framed(this.options.codec.encode(frame)))
  }

  private put(bytes: Buffer): void {
    this.sentSinceCheck = true
    this.queuedMessages++
    this.queuedBytes += bytes.length
    this.socket.write(bytes, () => {
      this.queuedMessages--
      this.queuedBytes -= bytes.length
    })
  }
}
