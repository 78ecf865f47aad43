/** A node that serves and is not in control any more is switched off by its watchdog before the other one takes over. */
import { closeSync, constants, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type Host, monotonicMs } from '@holdfast/lab'
import { type Pair, withPair } from './given.js'

/** Long enough for a daemon that was killed to be back on a busy machine. */
const watchdogMs = 8_000
const element = '<watchdog mode="required" device="/srv/watchdog" timeout="8s"/>'
/** The watchdog's time and the jitter fit in. */
const timeout = '12s'

/** What the hardware would do: reads the node's pipe, and switches the node off when it was armed and is fed no more: once. */
class Watchdog {
  readonly #host: Host
  readonly #pipe: number
  readonly #timer: NodeJS.Timeout
  #deadlineMs: number | undefined
  #firing: Promise<number> | undefined

  constructor(host: Host) {
    this.#host = host
    const path = join(host.disk, 'srv', 'watchdog')
    this.#pipe = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
    this.#timer = setInterval(() => this.#look(), 50)
  }

  get isArmed(): boolean {
    return this.#deadlineMs !== undefined
  }

  get hasFired(): boolean {
    return this.#firing !== undefined
  }

  async end(): Promise<void> {
    clearInterval(this.#timer)
    await this.#firing
    closeSync(this.#pipe)
  }

  #look(): void {
    const said = this.#read()
    if (said !== '') this.#deadlineMs = said.endsWith('V') ? undefined : monotonicMs() + watchdogMs
    else if (this.#deadlineMs !== undefined && monotonicMs() > this.#deadlineMs) {
      this.#deadlineMs = undefined
      clearInterval(this.#timer)
      this.#firing = this.#host.powerOff()
    }
  }

  #read(): string {
    const bytes = Buffer.alloc(1_024)
    try {
      return bytes.toString('latin1', 0, readSync(this.#pipe, bytes))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return ''
      throw error
    }
  }
}

async function withWatchdogs(
  t: ExecutionContext,
  run: (pair: Pair, n1: Watchdog, n2: Watchdog) => Promise<void>,
): Promise<void> {
  const edit = (xml: string): string => xml.replace('<heart ', `${element}<heart `)
  const prepare = 'mkfifo /srv/watchdog'
  await withPair(t, { timeout, edit, prepare }, async (pair) => {
    const [n1, n2] = [new Watchdog(pair.n1.host), new Watchdog(pair.n2.host)]
    try {
      await run(pair, n1, n2)
    } finally {
      await n1.end()
      await n2.end()
    }
  })
}

async function hang(pair: Pair): Promise<void> {
  const pid = await pair.n1.daemonPid()
  await pair.n1.host.mustRun(['kill', '-STOP', String(pid)])
}

test('a primary whose daemon hangs is switched off by its watchdog, and the application never runs twice', async (t) => {
  await withWatchdogs(t, async (pair, n1, n2) => {
    await pair.serves()
    t.true(n1.isArmed)
    t.false(n2.isArmed, 'a node that only follows is never reset')
    const hungMs = monotonicMs()
    await hang(pair)
    await pair.answeredBy(pair.n2, hungMs)
    t.true(n1.hasFired)
    await pair.comesBack(pair.n1)
    await pair.is(pair.n1, 'SECOND Ready')
    await pair.is(pair.n2, 'PRIM Ready')
    t.true(n2.isArmed)
    await pair.clientsGoOn()
    await pair.promisesHold(t)
  })
})

test('a primary that hangs and is cut off at the same moment is off before the other one takes over', async (t) => {
  await withWatchdogs(t, async (pair, n1) => {
    await pair.serves()
    const hungMs = monotonicMs()
    await hang(pair)
    await pair.lab.network.cut({ host: 'n1' })
    await pair.answeredBy(pair.n2, hungMs)
    t.true(n1.hasFired)
    await pair.comesBack(pair.n1)
    await pair.is(pair.n1, 'SECOND Ready')
    await pair.promisesHold(t)
  })
})

test('a primary that is frozen as a whole is switched off and does not go on behind the back of the other one', async (t) => {
  await withWatchdogs(t, async (pair, n1) => {
    await pair.serves()
    const frozenMs = monotonicMs()
    await pair.n1.host.freeze()
    await pair.answeredBy(pair.n2, frozenMs)
    t.true(n1.hasFired)
    await pair.comesBack(pair.n1)
    await pair.is(pair.n1, 'SECOND Ready')
    await pair.promisesHold(t)
  })
})

test('a daemon that dies and is back in time resets nothing, and neither does one that is stopped in order', async (t) => {
  await withWatchdogs(t, async (pair, n1) => {
    await pair.serves()
    const killedMs = monotonicMs()
    await pair.n1.killDaemon()
    await pair.n1.waitUntilItAnswers()
    await pair.is(pair.n1, 'PRIM Ready')
    await pair.clientsGoOn()
    t.false(n1.hasFired)
    await pair.order(pair.n1, 'stop')
    await pair.answeredBy(pair.n2, killedMs)
    await pair.is(pair.n1, 'STOP NotReady')
    t.false(n1.isArmed, 'who serves no more is not reset')
    t.false(n1.hasFired)
    await pair.order(pair.n1, 'start')
    await pair.is(pair.n1, 'SECOND Ready')
    await pair.is(pair.n2, 'PRIM Ready')
    await pair.promisesHold(t)
  })
})

test('a module that requires a watchdog is refused where there is none, and does not start where it does not answer', async (t) => {
  const edit = (xml: string): string => xml.replace('<heart ', `${element}<heart `)
  await t.throwsAsync(
    withPair(t, { timeout, edit }, () => Promise.resolve()),
    {
      message: /\/srv\/watchdog does not exist/,
    },
  )
  const slow = (xml: string): string => edit(xml).replace('timeout="8s"', 'timeout="20s"')
  const prepare = 'mkfifo /srv/watchdog'
  await t.throwsAsync(
    withPair(t, { timeout, edit: slow, prepare }, () => Promise.resolve()),
    {
      message: /takes over 12 s after the last heartbeat .* reset only 21 s after it: 20 s/,
    },
  )
  // A pipe that nobody reads: the device is there and does not work.
  await withPair(t, { timeout, edit, prepare }, async (pair) => {
    await pair.order(pair.n1, 'prim')
    await pair.is(pair.n1, 'STOP NotReady')
    const { cause } = (await pair.n1.module('ledger'))?.state ?? { cause: '' }
    t.regex(cause, /nobody reads this pipe/)
    t.deepEqual(await pair.runners(), [])
  })
})
