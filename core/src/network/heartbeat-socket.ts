/** One UDP socket on one LAN. It binds again by itself when its address appears later (boot, DHCP) or goes away. */
import { createSocket, type Socket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import type { Cancel, Clock, LogLevel } from '@holdfast/sdk'
import type { LogGate } from './log-gate.js'

const bindAgainMs = 1_000
/** A name server answers soon, or the address book asks again. */
const resolvedAgainMs = 100
/** Enough for several seconds of heartbeats of 15 peers while this process does not run. */
const receiveBufferBytes = 1024 * 1024

export interface HeartbeatSocketOptions {
  readonly lan: string
  readonly port: number
  /** Undefined: the name is not resolved yet. */
  readonly address: () => string | undefined
  readonly clock: Clock
  readonly gate: LogGate
  readonly onDatagram: (lan: string, datagram: Buffer) => void
}

export class HeartbeatSocket {
  private socket: Socket | undefined
  private bound = false
  private closed = false
  private cancelRetry: Cancel = () => undefined

  constructor(private readonly options: HeartbeatSocketOptions) {
    this.open()
  }

  get isOpen(): boolean {
    return this.bound
  }

  /** Drops the datagram when the socket is not open: the next pulse comes soon. */
  send(datagram: Buffer, address: string, port: number): void {
    if (!this.bound) return
    // An error of one datagram (no route now) is what silence on this LAN means: the peer's view tells it.
    this.socket?.send(datagram, port, address, (error) => {
      if (error !== null) {
        const fields = { lan: this.options.lan, address, error: error.message }
        this.options.gate.write('debug', 'heartbeatNotSent', address, fields)
      }
    })
  }

  close(): void {
    this.closed = true
    this.cancelRetry()
    this.drop()
  }

  private open(): void {
    const { address: own, port, lan, onDatagram } = this.options
    const address = own()
    if (address === undefined) {
      this.openLater('info', 'the name of this node is not resolved', resolvedAgainMs)
      return
    }
    const socket = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4' })
    this.socket = socket
    socket.on('message', (datagram) => {
      onDatagram(lan, datagram)
    })
    socket.on('error', (error) => {
      this.drop()
      if (!this.closed) this.openLater('warning', error.message)
    })
    socket.bind({ address, port, exclusive: true }, () => {
      if (this.socket !== socket) return
      this.bound = true
      socket.setRecvBufferSize(receiveBufferBytes)
    })
  }

  private openLater(level: LogLevel, cause: string, delayMs = bindAgainMs): void {
    const { lan, port, gate, clock } = this.options
    gate.write(level, 'heartbeatPortNotOpen', `${lan} ${cause}`, { lan, port, cause })
    this.cancelRetry = clock.after(delayMs, () => {
      if (!this.closed) this.open()
    })
  }

  private drop(): void {
    this.bound = false
    this.socket?.removeAllListeners('message')
    this.socket?.close()
    this.socket = undefined
  }
}
