/** For tests: a wire between two data planes. */
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

/** Hands on what comes `from` one end; the dialler is the follower. */
export type Carry = (from: Socket, to: Socket, isDialler: boolean) => void

export class Wire {
  readonly #sockets: Socket[] = []

  private constructor(
    readonly server: Server,
    readonly port: number,
  ) {}

  /** Carries what is said to it to `target`, a port of this machine, until it is cut. */
  static async open(target: number, carry: Carry = (from, to) => from.pipe(to)): Promise<Wire> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('it listens on a port')
    const wire = new Wire(server, address.port)
    server.on('connection', (dialler) => {
      const other = connect(target, '127.0.0.1')
      wire.#carry(dialler, other, () => carry(dialler, other, true))
      wire.#carry(other, dialler, () => carry(other, dialler, false))
    })
    return wire
  }

  #carry(from: Socket, to: Socket, begin: () => void): void {
    this.#sockets.push(from)
    from.setNoDelay(true)
    from.on('error', () => undefined).on('close', () => to.destroy())
    begin()
  }

  /** Both ends see that it is closed; or nothing comes any more. */
  cut(how: 'closed' | 'silent'): void {
    this.server.close()
    for (const socket of this.#sockets) {
      if (how === 'closed') socket.destroy()
      else socket.unpipe().pause()
    }
  }
}
