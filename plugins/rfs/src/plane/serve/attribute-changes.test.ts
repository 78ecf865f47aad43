/** Attributes that can't all be set: the program hears the error, and both trees are the same. With real files on both sides. */
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ava, { type ExecutionContext } from 'ava'
import { ATTRIBUTE_STEPS } from '../changes.js'
import { Descriptors } from '../descriptors.js'
import { Applier } from '../follow/applier.js'
import { FATTR, NOTIFY, OP, SIZE } from '../fuse/abi.js'
import { Reply } from '../fuse/reply.js'
import { Request } from '../fuse/request.js'
import { openJournal } from '../journal/file.js'
import { E, MODE, SOCKET, close, socketpair } from '../libc.js'
import { ATTRIBUTE, OpWriter } from '../link/ops.js'
import { InBuffer, Opener, OutBuffer, Sealer } from '../link/records.js'
import type { PlaneParts } from '../parts.js'
import { Toucher } from '../touch.js'
import { Volume } from '../volume.js'
import { AttributeChanges } from './attribute-changes.js'
import { Pending } from './pending.js'
import { Stream } from './stream.js'

const test = ava.serial
const all = FATTR.MODE | FATTR.UID | FATTR.GID | FATTR.SIZE | FATTR.ATIME | FATTR.MTIME

/** A file `f` of 100,000 bytes on two nodes of which one follows the other; the step that sets one of `fails` fails. */
class Pair {
  readonly base = fs.mkdtempSync(join(tmpdir(), `rfs-attributes-${process.pid}-`))
  readonly #server = this.#volume('server')
  readonly #follower = this.#volume('follower')
  readonly #ends = Buffer.alloc(8)
  readonly #out = new OutBuffer(new Sealer(undefined))
  readonly #input = new InBuffer(new Opener(undefined))
  readonly #reply = new Reply()
  readonly #stream = new Stream(new Pending())
  readonly #journal = openJournal({ directory: join(this.base, 'journal'), zoneBytes: 65_536 })
  readonly #changes: AttributeChanges
  /** Why the session was ended. */
  diverged: string | undefined

  constructor(error: number, fails: number) {
    socketpair(SOCKET.UNIX, SOCKET.STREAM | SOCKET.NONBLOCK, 0, this.#ends)
    this.#server.fuse = fs.openSync(join(this.base, 'fuse'), 'w+')
    this.#stream.begin(this.#out, this.#ends.readInt32LE(0))
    const unused = {} as Pick<Parameters, 'rights' | 'syncs' | 'succession' | 'giveUp'>
    const parts = {
      ...unused,
      reply: this.#reply,
      stream: this.#stream,
      toucher: new Toucher(this.#journal, 65_536),
      diverged: (cause: string) => void (this.diverged = cause),
    }
    const steps = ATTRIBUTE_STEPS.map((step) =>
      (step.sets & fails) === 0 ? step : { ...step, set: () => -error },
    )
    this.#changes = new AttributeChanges(parts, steps)
  }

  #volume(name: string): Volume {
    const directory = join(this.base, name)
    fs.mkdirSync(directory)
    fs.writeFileSync(join(directory, 'f'), Buffer.alloc(100_000, 'x'))
    fs.chmodSync(join(directory, 'f'), 0o4755)
    fs.utimesSync(join(directory, 'f'), 5, 5)
    return Volume.open(0, directory, new Descriptors(10))
  }

  /** Asks for new attributes; returns the error. */
  set(valid: number, size: number): number {
    const { table } = this.#server
    const { ino } = fs.statSync(join(this.#server.directory, 'f'))
    const node = table.obtain(ino, MODE.FILE)
    node.lookups = 1
    table.addName(node, table.root, 'f')
    return this.#changes.set(this.#server, requestOf(valid, size), node)
  }

  /** The follower does what it was told. Returns the file on each side, without what may differ. */
  seen(): readonly object[] {
    const [from, to] = [this.#ends.readInt32LE(0), this.#ends.readInt32LE(4)]
    while (this.#stream.owes) this.#stream.payTimes()
    this.#out.flush(from)
    const { base } = this
    const launch = { zoneBytes: 65_536, volumes: [{ index: 0, directory: '' }] }
    // Of a data plane only these are used by what is told here.
    const parts = { launch, journal: this.#journal, pool: {} } as unknown as PlaneParts
    const answers = new OpWriter(new OutBuffer(new Sealer(undefined)))
    const applier = new Applier(parts, [this.#follower], answers, (reason) => {
      throw new Error(reason)
    })
    while (this.#input.fill(to) > 0) while (this.#input.next()) applier.apply(this.#input)
    return ['server', 'follower'].map((name) => {
      const { mode, uid, gid, size, mtimeMs } = fs.statSync(join(base, name, 'f'))
      return { mode, uid, gid, size, mtimeMs }
    })
  }

  /** Was the kernel told that it knows nothing of this file any more? */
  get isKernelTold(): boolean {
    const told = fs.readFileSync(join(this.base, 'fuse'))
    if (told.length === 0) return false
    const { ino } = fs.statSync(join(this.base, 'server/f'))
    const isAttributes = told.readBigInt64LE(24) === -1n
    return told.readInt32LE(4) === NOTIFY.CHANGED && told.readUInt32LE(16) === ino && isAttributes
  }

  end(): void {
    this.#stream.end()
    fs.closeSync(this.#server.fuse)
    for (const volume of [this.#server, this.#follower]) volume.close()
    close(this.#ends.readInt32LE(0))
    close(this.#ends.readInt32LE(4))
    this.#journal.closeClean()
    fs.rmSync(this.base, { recursive: true })
  }
}

type Parameters = ConstructorParameters<typeof AttributeChanges>[0]

function requestOf(valid: number, size: number): Request {
  const request = new Request()
  const { view } = request
  const length = SIZE.IN_HEADER + 88
  view.setUint32(0, length, true)
  view.setUint32(4, OP.SETATTR, true)
  view.setUint32(SIZE.IN_HEADER, valid, true)
  view.setBigUint64(SIZE.IN_HEADER + 16, BigInt(size), true)
  view.setUint32(SIZE.IN_HEADER + 32, 77, true)
  view.setUint32(SIZE.IN_HEADER + 40, 88, true)
  view.setUint32(SIZE.IN_HEADER + 68, 0o640, true)
  view.setUint32(SIZE.IN_HEADER + 76, 11, true)
  view.setUint32(SIZE.IN_HEADER + 80, 22, true)
  request.parse(length)
  return request
}

function fails(error: number, step: number, run: (pair: Pair) => void): void {
  const pair = new Pair(error, step)
  try {
    run(pair)
  } finally {
    pair.end()
  }
}

function equal(t: ExecutionContext, pair: Pair): Readonly<Record<string, unknown>> {
  const [server, follower] = pair.seen()
  t.deepEqual(server, follower)
  t.true(pair.isKernelTold)
  return { ...server }
}

test('whatever of several attributes can not be set, both sides have those that were, and the kernel asks again', (t) => {
  const before = { mode: MODE.FILE | 0o4755, uid: 0, gid: 0, size: 100_000, mtimeMs: 5_000 }
  fails(E.FBIG, ATTRIBUTE.SIZE, (pair) => {
    t.is(pair.set(all, 70_000), -E.FBIG)
    t.deepEqual(equal(t, pair), before, 'what is refused first leaves everything as it was')
    t.is(pair.diverged, undefined)
  })
  fails(E.IO, ATTRIBUTE.OWNER, (pair) => {
    t.is(pair.set(all, 70_000), -E.IO)
    t.like(equal(t, pair), { size: 70_000, uid: 0, mode: MODE.FILE | 0o4755 })
  })
  fails(E.IO, ATTRIBUTE.MODE, (pair) => {
    t.is(pair.set(all, 70_000), -E.IO)
    // The new owner has taken the set-user-id bit away.
    t.like(equal(t, pair), { size: 70_000, uid: 11, gid: 22, mode: MODE.FILE | 0o755 })
  })
  fails(E.IO, ATTRIBUTE.MTIME, (pair) => {
    t.is(pair.set(all, 70_000), -E.IO)
    t.like(equal(t, pair), { size: 70_000, uid: 11, mode: MODE.FILE | 0o640 })
    t.is(pair.diverged, undefined)
  })
})

test('when making a file shorter fails with the disk, nobody knows how far it came: the session ends', (t) => {
  for (const [size, isKnown] of [
    [70_000, false],
    [200_000, true],
  ] as const) {
    fails(E.IO, ATTRIBUTE.SIZE, (pair) => {
      t.is(pair.set(all, size), -E.IO)
      t.is(pair.diverged === undefined, isKnown)
    })
  }
})

test('all attributes that can be set are the same on both sides', (t) => {
  fails(0, 0, (pair) => {
    t.is(pair.set(all, 70_000), 0)
    const [server, follower] = pair.seen()
    t.deepEqual(server, follower)
    const wanted = { mode: MODE.FILE | 0o640, uid: 11, gid: 22, size: 70_000, mtimeMs: 88_000 }
    t.deepEqual(server, wanted)
    t.false(pair.isKernelTold)
  })
})
