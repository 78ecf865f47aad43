/** For tests: a wire between two data planes that speak in clear, and that spoils some of the frames it carries. */
import type { Socket } from 'node:net'
import { CONFIRM_BYTES, HELLO_BYTES, WELCOME_BYTES } from './link/handshake.js'
import { Wire } from './wire.fixture.js'

type Random = (below: number) => number

/** Of the frames that pass, one in so many is spoiled. */
const SPOILED_ONE_IN = 12

export class Tamper {
  spoiled = 0

  private constructor(
    readonly wire: Wire,
    readonly random: Random,
  ) {}

  /** Carries what is said to it to `target`, a port of this machine. */
  static async open(target: number, random: Random): Promise<Tamper> {
    // Nobody knows the port before it is returned.
    const wire = await Wire.open(target, (from, to, isDialler) => {
      const frames = new Frames(isDialler ? HELLO_BYTES + CONFIRM_BYTES : WELCOME_BYTES)
      from.on('data', (bytes: Buffer) => tamper.#pass(frames.take(bytes), to))
    })
    const tamper = new Tamper(wire, random)
    return tamper
  }

  get port(): number {
    return this.wire.port
  }

  close(): void {
    this.wire.cut('closed')
  }

  #pass(frames: Iterable<Frame>, to: Socket): void {
    for (const frame of frames) {
      const isSpoiled = frame.isWhole && this.random(SPOILED_ONE_IN) === 0
      if (isSpoiled) this.spoiled++
      if (to.writable) to.write(isSpoiled ? spoil(frame.bytes, this.random) : frame.bytes)
    }
  }
}

interface Frame {
  readonly bytes: Buffer
  /** False: a part of the greeting. */
  readonly isWhole: boolean
}

/** Cuts a stream into its greeting and its frames: a length of 4 bytes, and as many more. */
class Frames {
  #rest = Buffer.alloc(0)

  constructor(private greeting: number) {}

  *take(bytes: Buffer): Generator<Frame> {
    const first = Math.min(this.greeting, bytes.length)
    this.greeting -= first
    if (first > 0) yield { bytes: bytes.subarray(0, first), isWhole: false }
    this.#rest = Buffer.concat([this.#rest, bytes.subarray(first)])
    while (this.#rest.length >= 4) {
      const end = 4 + this.#rest.readUInt32LE(0)
      if (this.#rest.length < end) return
      yield { bytes: this.#rest.subarray(0, end), isWhole: true }
      this.#rest = this.#rest.subarray(end)
    }
  }
}

/** Another frame in the place of this one. */
function spoil(frame: Buffer, random: Random): Buffer {
  const spoiled = Buffer.from(frame)
  const body = spoiled.subarray(4)
  switch (random(6)) {
    case 0:
      // Its length is another one: whatever follows is out of step.
      spoiled.writeUInt32LE(random(2) === 0 ? random(2 ** 32) : random(64), 0)
      return spoiled
    case 1:
      return framed(body.subarray(0, random(body.length) + 1))
    case 2:
      return Buffer.concat([frame, frame])
    case 3:
      return framed(Buffer.from(Array.from({ length: 1 + random(200) }, () => random(256))))
    case 4:
      // The kind of another message, with fields of this one.
      body[0] = random(110)
      return spoiled
    default:
      for (let times = 1 + random(4); times > 0; times--) body[random(body.length)] = random(256)
      return spoiled
  }
}

function framed(body: Buffer): Buffer {
  const head = Buffer.alloc(4)
  head.writeUInt32LE(body.length, 0)
  return Buffer.concat([head, body])
}
