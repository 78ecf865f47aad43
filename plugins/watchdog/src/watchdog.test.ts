/** The watchdog's rules with a clock of the test's own, and its device as a named pipe that the test reads. */
import { execFileSync } from 'node:child_process'
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Cancel,
  type Clock,
  HoldfastError,
  type Log,
  type Role,
  type Transition,
} from '@holdfast/sdk'
import test from 'ava'
import { check } from './check.js'
import { neglect } from './decide.js'
import { openDevice } from './device.js'
import { Guard } from './guard.js'
import { Keeper } from './keeper.js'
import { delays } from './settings.js'

/** Time passes only when the test says so. */
class HandClock implements Clock {
  #now = 0
  readonly #repeated = new Set<{ readonly periodMs: number; nextMs: number; call: () => void }>()

  monotonicMs(): number {
    return this.#now
  }

  wallMs(): number {
    return this.#now
  }

  after(): Cancel {
    throw new Error('nothing here waits once')
  }

  every(periodMs: number, call: () => void): Cancel {
    const entry = { periodMs, nextMs: this.#now + periodMs, call }
    this.#repeated.add(entry)
    return () => {
      this.#repeated.delete(entry)
    }
  }

  cron(): Cancel {
    throw new Error('nothing here has a time of day')
  }

  /** Promises that are settled are told between two moments. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms
    for (;;) {
      const due = [...this.#repeated].filter(({ nextMs }) => nextMs <= end)
      const next = due.toSorted((a, b) => a.nextMs - b.nextMs)[0]
      if (next === undefined) break
      this.#now = next.nextMs
      next.nextMs += next.periodMs
      next.call()
      await new Promise((resolve) => setImmediate(resolve))
    }
    this.#now = end
  }
}

/** What the machine around the watchdog sees: a pipe, and everything that was written to it. */
class World {
  readonly clock = new HandClock()
  readonly directory = mkdtempSync(join(tmpdir(), 'holdfast-watchdog-'))
  readonly path = join(this.directory, 'watchdog')
  readonly lines: string[] = []
  readonly #reader: number
  #orderlyEnd: () => void = () => undefined
  readonly keeper = new Keeper(
    (seconds) => openDevice(this.path, seconds),
    (call) => (this.#orderlyEnd = call),
  )

  constructor() {
    execFileSync('mkfifo', [this.path])
    this.#reader = openSync(this.path, constants.O_RDWR | constants.O_NONBLOCK)
  }

  log: Log = {
    write: (_level, event) => this.lines.push(event),
  }

  guard(name: string, alive: () => Promise<void>, timeout = 10): Guard {
    const { clock, log, keeper } = this
    const settings = { mode: 'required' as const, device: this.path, timeout, hang: 30 }
    return new Guard({ clock, log, module: name, liveness: { alive }, keeper, settings })
  }

  /** Everything that was written since the last look. */
  written(): string {
    const bytes = Buffer.alloc(65_536)
    try {
      return bytes.toString('latin1', 0, readSync(this.#reader, bytes))
    } catch (thrown) {
      if (thrown instanceof Error && 'code' in thrown && thrown.code === 'EAGAIN') return ''
      throw thrown
    }
  }

  endInOrder(): void {
    this.#orderlyEnd()
  }

  end(): void {
    closeSync(this.#reader)
    rmSync(this.directory, { recursive: true })
  }
}

function change(from: Role, to: Role): Transition {
  return { from, to, action: 'start', cause: 'a test', generation: '1:n1' }
}

const answers = (): Promise<void> => Promise.resolve()
const hangs = (): Promise<void> => new Promise(() => undefined)

test('the device is fed from before the node serves until it serves no more, and then switched off', async (t) => {
  const world = new World()
  const guard = world.guard('shop', answers)
  await guard.enter(change('stop', 'wait'))
  await world.clock.pass(60_000)
  t.is(world.written(), '')
  await guard.enter(change('wait', 'alone'))
  t.is(world.written(), '.')
  await world.clock.pass(10_000)
  t.is(world.written(), '.....')
  await guard.leave(change('alone', 'prim'))
  await guard.enter(change('alone', 'prim'))
  await world.clock.pass(2_000)
  t.is(world.written(), '.')
  await guard.leave(change('prim', 'wait'))
  await world.clock.pass(10_000)
  t.is(world.written(), 'V')
  world.end()
})

test('a module that is served and decides nothing for too long is fed no more, whatever the other modules do', async (t) => {
  const world = new World()
  let decides = answers
  const shop = world.guard('shop', () => decides())
  const mail = world.guard('mail', answers)
  await shop.enter(change('wait', 'alone'))
  await mail.enter(change('wait', 'alone'))
  decides = hangs
  await world.clock.pass(30_000)
  world.written()
  await world.clock.pass(60_000)
  t.true(world.written().length <= 1)
  t.deepEqual(
    world.lines.filter((event) => event === 'watchdogNotFed'),
    ['watchdogNotFed', 'watchdogNotFed'],
  )
  world.end()
})

test('a node that may not serve any more is fed no more until it has stopped, and is reset when it does not stop', async (t) => {
  const world = new World()
  let alive = answers
  const shop = world.guard('shop', () => alive())
  const mail = world.guard('mail', answers)
  await shop.enter(change('wait', 'alone'))
  await mail.enter(change('wait', 'alone'))
  alive = () => Promise.reject(new HoldfastError('E_TEST', 'n2 may begin'))
  await world.clock.pass(500)
  world.written()
  await world.clock.pass(9_000)
  t.is(world.written(), '')
  t.true(world.lines.includes('watchdogNotFed'))
  await shop.leave(change('alone', 'wait'))
  await world.clock.pass(2_000)
  t.is(world.written(), '.')
  world.end()
})

test('a module that may serve again in time is fed again, and a failure of the question itself resets nothing', async (t) => {
  const world = new World()
  let alive = (): Promise<void> => Promise.reject(new HoldfastError('E_TEST', 'n2 may begin'))
  const shop = world.guard('shop', () => alive())
  await shop.enter(change('wait', 'alone'))
  await world.clock.pass(6_000)
  t.is(world.written(), '.')
  alive = () => Promise.reject(new Error('a bug'))
  await world.clock.pass(4_000)
  t.is(world.written(), '..')
  world.end()
})

test('a module that hung and stopped serving no longer keeps the machine from being fed', async (t) => {
  const world = new World()
  const shop = world.guard('shop', hangs)
  const mail = world.guard('mail', answers)
  await shop.enter(change('wait', 'alone'))
  await mail.enter(change('wait', 'alone'))
  await world.clock.pass(60_000)
  world.written()
  await shop.leave(change('alone', 'wait'))
  await world.clock.pass(4_000)
  t.is(world.written(), '..')
  await mail.leave(change('alone', 'wait'))
  t.is(world.written(), 'V')
  world.end()
})

test('the shortest time-out of all modules sets how often the device is fed', async (t) => {
  const world = new World()
  await world.guard('shop', answers, 10).enter(change('wait', 'alone'))
  await world.guard('mail', answers, 5).enter(change('wait', 'alone'))
  world.written()
  await world.clock.pass(5_000)
  t.is(world.written(), '.....')
  world.end()
})

test('a daemon that is stopped in order switches the device off; one that adopts a served module arms it again', async (t) => {
  const world = new World()
  await world.guard('shop', answers).enter(change('wait', 'alone'))
  world.written()
  world.endInOrder()
  t.is(world.written(), 'V')
  const next = world.guard('shop', answers)
  await next.adopt('prim')
  await world.clock.pass(2_000)
  t.is(world.written(), '..')
  world.end()
})

test('a module that requires a watchdog is refused when nobody reads the pipe, with a code and a sentence', async (t) => {
  const world = new World()
  const guard = world.guard('shop', answers)
  world.end()
  const verdict = await guard.enter(change('wait', 'alone'))
  t.false(verdict.ok)
  t.is(verdict.ok ? '' : verdict.code, 'E_WATCHDOG_NONE')
})

test('what is no device is refused: a file would take every byte and reset nothing', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-watchdog-'))
  const device = join(directory, 'file')
  writeFileSync(device, '')
  const settings = { mode: 'required' as const, device, timeout: 10, hang: 60 }
  t.regex(check({ watchdog: settings }).errors[0]?.message ?? '', /neither a watchdog device nor/)
  t.is(check({ watchdog: { ...settings, mode: 'auto' } }).errors.length, 0)
  t.is(check({ watchdog: { ...settings, mode: 'auto' } }).warnings.length, 1)
  t.is(check({ watchdog: { ...settings, mode: 'off' } }).warnings.length, 0)
  const sink = openDevice('/dev/null', 10)
  t.is(sink.ok ? '' : sink.code, 'E_WATCHDOG_TIMEOUT')
  rmSync(directory, { recursive: true })
})

test('only a question that is open for as long as the limit is neglect', (t) => {
  const duty = { module: 'shop', hangMs: 5_000, overdue: undefined }
  t.is(neglect([{ ...duty, askedMs: undefined }], 9_000_000), undefined)
  t.is(neglect([{ ...duty, askedMs: 1_000 }], 5_999), undefined)
  t.regex(neglect([{ ...duty, askedMs: 1_000 }], 6_000) ?? '', /^module shop is served/)
  t.deepEqual(delays({ watchdog: { mode: 'off', device: '/d', timeout: 10, hang: 60 } }), {})
})
