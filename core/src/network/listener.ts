/** The TCP port of a node on one LAN. Like the heartbeat socket, it opens again by itself when its address appears. */
import type { Server, TLSSocket } from 'node:tls'
import type { Cancel, Clock, LogLevel } from '@holdfast/sdk'
import type { LogGate } from './log-gate.js'

const listenAgainMs = 1_000
/** A name server answers soon, or the address book asks again. */
const resolvedAgainMs = 100
/** Members hold one connection each; the rest is for those that prove nothing and are soon gone. */
const connectionsMax = 64

export interface ListenerOptions {
  readonly lan: string
  readonly port: number
  readonly address: () => string | undefined
  readonly create: () => Server
  readonly clock: Clock
  readonly gate: LogGate
  readonly onConnection: (lan: string, socket: TLSSocket) => void
}

export class Listener {
  private server: Server | undefined
  private closed = false
  private cancelRetry: Cancel = () => undefined

  constructor(private readonly options: ListenerOptions) {
    this.open()
  }

  get isOpen(): boolean {
    return this.server?.listening ?? false
  }

  /** Connections that were accepted stay. */
  close(): void {
    this.closed = true
    this.cancelRetry()
    this.server?.close()
    this.server = undefined
  }

  private open(): void {
    const { lan, port, gate, onConnection } = this.options
    const address = this.options.address()
    if (address === undefined) {
      this.openLater('info', 'the name of this node is not resolved', resolvedAgainMs)
      return
    }
    const server = this.options.create()
    this.server = server
    server.maxConnections = connectionsMax
    server.on('secureConnection', (socket) => {
      onConnection(lan, socket)
    })
    server.on('tlsClientError', (error, socket) => {
      const from = socket.remoteAddress ?? 'unknown'
      gate.write('warning', 'connectionRefused', from, { lan, from, cause: error.message })
    })
    server.on('error', (error: Error) => {
      server.close()
      if (!this.closed) this.openLater('critical', error.message)
    })
    server.listen({ host: address, port, exclusive: true })
  }

  private openLater(level: LogLevel, cause: string, delayMs = listenAgainMs): void {
    const { lan, port, clock, gate } = this.options
    gate.write(level, 'portNotOpen', `${lan} ${cause}`, { lan, port, cause })
    this.cancelRetry = clock.after(delayMs, () => {
      if (!this.closed) this.open()
    })
  }
}
