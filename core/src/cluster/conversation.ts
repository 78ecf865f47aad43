/** Questions and answers in turn over one connection: JSON objects, length-prefixed, with a maximum and a time-out. */
import type { TLSSocket } from 'node:tls'
import { type Clock, HoldfastError } from '@holdfast/sdk'
import { FrameCutter, framed, objectOf } from '../network/index.js'

export type Words = Readonly<Record<string, unknown>>

const heardMax = 4

export class Conversation {
  private readonly heard: Words[] = []
  private failure: string | undefined
  private wake: () => void = () => undefined

  constructor(
    private readonly socket: TLSSocket,
    private readonly clock: Clock,
    bytesMax: number,
  ) {
    const cutter = new FrameCutter(bytesMax)
    socket.on('data', (chunk: Buffer) => {
      const payloads = cutter.push(chunk)
      const words = (payloads ?? []).map(objectOf)
      const known = words.filter((one) => one !== undefined)
      const isSane = payloads !== undefined && known.length === words.length
      this.heard.push(...known)
      if (isSane && this.heard.length <= heardMax) this.wake()
      else this.fail('the other side does not follow the protocol')
    })
    socket.on('error', (error: Error) => {
      this.fail(error.message)
    })
    socket.on('close', () => {
      this.fail('the connection was closed')
    })
  }

  say(words: Words): void {
    this.socket.write(framed(Buffer.from(JSON.stringify(words))))
  }

  /** The next object. Rejects with `E_JOIN_CONVERSATION` when none comes in time. */
  async listen(timeoutMs: number): Promise<Words> {
    const cancel = this.clock.after(timeoutMs, () => {
      this.fail('no answer in time')
    })
    try {
      await this.settled()
    } finally {
      cancel()
    }
    const words = this.heard.shift()
    if (words !== undefined) return words
    throw new HoldfastError('E_JOIN_CONVERSATION', this.failure ?? 'the connection was closed')
  }

  /** Sends what was said, then ends. */
  end(): void {
    this.socket.destroySoon()
  }

  private async settled(): Promise<void> {
    if (this.heard.length > 0 || this.failure !== undefined) return
    await new Promise<void>((resolve) => {
      this.wake = resolve
    })
  }

  private fail(cause: string): void {
    if (this.failure !== undefined) return
    this.failure = cause
    this.socket.destroy()
    this.wake()
  }
}
