/**
 * The control socket: JSON lines over a Unix socket, one client at a time, the newest wins. Knows lines, not orders.
 */
import { unlinkSync } from 'node:fs'
import { HoldfastError } from '@holdfast/sdk'
import { lineBytesMax } from '../driver/protocol.js'
import {
  E,
  POLL,
  SOCKET,
  accept4,
  bind,
  close,
  errnoName,
  listen,
  read,
  send,
  socket,
  umask,
} from './libc.js'
import { isBroken, type Loop, type Watch } from './loop.js'

type Line = Readonly<Record<string, unknown>>

/** Output that may wait for a client that does not read. */
const OUT_BYTES_MAX = 4 * 1024 * 1024
const PATH_BYTES_MAX = 107

export class ControlSocket {
  readonly #listener: Watch
  #client: Client | undefined

  /** Throws E_RFS_CONTROL. */
  constructor(
    readonly loop: Loop,
    readonly path: string,
    readonly onLine: (line: Line, answer: (line: Line) => void) => void,
  ) {
    const fd = listenOn(path)
    this.#listener = { fd, wants: POLL.IN, onReady: () => this.#accept(fd) }
    loop.add(this.#listener)
  }

  /** Events go to whoever is connected; when nobody is, `status` tells the state later. */
  tell(line: Line): void {
    this.#client?.write(line)
  }

  /** Sends what is buffered as far as it goes, and closes. */
  close(): void {
    this.#client?.end()
    this.loop.remove(this.#listener)
    close(this.#listener.fd)
    removeSocket(this.path)
  }

  #accept(listener: number): void {
    const fd = accept4(listener, 0, 0, SOCKET.NONBLOCK | SOCKET.CLOEXEC)
    if (fd < 0) return
    this.#client?.end()
    this.#client = new Client(this.loop, fd, (line, from) => {
      this.onLine(line, (answer) => from.write(answer))
    })
  }
}

class Client implements Watch {
  wants: number = POLL.IN
  #input = Buffer.alloc(0)
  #output = Buffer.alloc(0)
  #ended = false
  readonly #chunk = Buffer.alloc(65_536)

  constructor(
    readonly loop: Loop,
    readonly fd: number,
    readonly onLine: (line: Line, from: Client) => void,
  ) {
    loop.add(this)
  }

  onReady(events: number): void {
    if ((events & POLL.OUT) !== 0) this.#flush()
    if ((events & POLL.IN) !== 0) this.#read()
    else if (isBroken(events)) this.end()
  }

  write(line: Line): void {
    if (this.#ended) return
    const bytes = Buffer.from(JSON.stringify(line) + '\n', 'utf8')
    if (this.#output.length + bytes.length > OUT_BYTES_MAX) {
      this.end()
      return
    }
    this.#output = this.#output.length === 0 ? bytes : Buffer.concat([this.#output, bytes])
    this.#flush()
  }

  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.loop.remove(this)
    close(this.fd)
  }

  #read(): void {
    const got = read(this.fd, this.#chunk, this.#chunk.length)
    if (got === -E.AGAIN || got === -E.INTR) return
    if (got <= 0) {
      this.end()
      return
    }
    this.#input = Buffer.concat([this.#input, this.#chunk.subarray(0, got)])
    for (;;) {
      const end = this.#input.indexOf(0x0a)
      if (end < 0) break
      const text = this.#input.toString('utf8', 0, end)
      this.#input = this.#input.subarray(end + 1)
      const line = parse(text)
      // Whoever does not speak the protocol is not the plugin.
      if (line === undefined) {
        this.end()
        return
      }
      this.onLine(line, this)
      if (this.#ended) return
    }
    if (this.#input.length > lineBytesMax) this.end()
  }

  #flush(): void {
    while (this.#output.length > 0) {
      const sent = send(this.fd, this.#output, this.#output.length, SOCKET.NOSIGNAL)
      if (sent === -E.INTR) continue
      if (sent === -E.AGAIN) break
      if (sent < 0) {
        this.end()
        return
      }
      this.#output = this.#output.subarray(sent)
    }
    this.wants = this.#output.length > 0 ? POLL.IN | POLL.OUT : POLL.IN
  }
}

function parse(text: string): Line | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function listenOn(path: string): number {
  const name = Buffer.from(path, 'utf8')
  if (name.length > PATH_BYTES_MAX) {
    throw new HoldfastError('E_RFS_CONTROL', `${path} is longer than ${PATH_BYTES_MAX} bytes`, {
      hint: 'Choose a shorter run directory: the path of a Unix socket is limited by the kernel.',
    })
  }
  removeSocket(path)
  const address = Buffer.alloc(110)
  address.writeUInt16LE(SOCKET.UNIX, 0)
  name.copy(address, 2)
  const fd = socket(SOCKET.UNIX, SOCKET.STREAM | SOCKET.NONBLOCK | SOCKET.CLOEXEC, 0)
  // Only root may connect, from the first moment on.
  const before = umask(0o177)
  const bound = fd < 0 ? fd : bind(fd, address, 2 + name.length + 1)
  umask(before)
  const listening = bound < 0 ? bound : listen(fd, 4)
  if (listening >= 0) return fd
  throw new HoldfastError('E_RFS_CONTROL', `${path}: ${errnoName(listening)}`)
}

function removeSocket(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
}
