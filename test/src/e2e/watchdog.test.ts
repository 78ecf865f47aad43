/** A node that serves and is not in control any more is switched off by its watchdog before the other one takes over. */
import test, { type ExecutionContext } from 'ava'
import { type Host, monotonicMs, watchdogDevice } from '@holdfast/lab'
import { type Pair, withPair } from './given.js'

/** The watchdog's own time, and a silence of the other node that it and the jitter fit in. */
interface Times {
  readonly watchdogSeconds: number
  readonly silenceSeconds: number
}

/** A daemon that nobody killed feeds it in time on a busy machine. */
const short: Times = { watchdogSeconds: 7, silenceSeconds: 9 }
/** Long enough for a daemon that was killed to be back on a busy machine. */
const long: Times = { watchdogSeconds: 15, silenceSeconds: 18 }

function watching({ watchdogSeconds, silenceSeconds }: Times) {
  const seconds = String(watchdogSeconds)
  const element = `<watchdog mode="required" device="${watchdogDevice}" timeout="${seconds}s"/>`
  const edit = (xml: string): string => xml.replace('<heart ', `${element}<heart `)
  return { timeout: `${String(silenceSeconds)}s`, edit }
}

async function withWatchdogs(
  t: ExecutionContext,
  times: Times,
  run: (pair: Pair, n1: Host, n2: Host) => Promise<void>,
): Promise<void> {
  const { watchdogSeconds } = times
  await withPair(t, { ...watching(times), lab: { watchdogSeconds } }, (pair) =>
    run(pair, pair.n1.host, pair.n2.host),
  )
}

async function hang(pair: Pair): Promise<void> {
  const pid = await pair.n1.daemonPid()
  await pair.n1.host.mustRun(['kill', '-STOP', String(pid)])
}

test('a primary whose daemon hangs is switched off by its watchdog, and the application never runs twice', async (t) => {
  await withWatchdogs(t, short, async (pair, n1, n2) => {
    await pair.serves()
    t.true(n1.isGuarded)
    t.false(n2.isGuarded, 'a node that only follows is never reset')
    const hungMs = monotonicMs()
    await hang(pair)
    await pair.answeredBy(pair.n2, hungMs)
    t.is(n1.resets, 1)
    await pair.comesBack(pair.n1)
    await pair.is(pair.n1, 'SECOND Ready')
    await pair.is(pair.n2, 'PRIM Ready')
    t.true(n2.isGuarded)
    await pair.clientsGoOn()
    await pair.promisesHold(t)
  })
})

test('a primary that hangs and is cut off at the same moment is off before the other one takes over', async (t) => {
  await withWatchdogs(t, short, async (pair, n1) => {
    await pair.serves()
    const hungMs = monotonicMs()
    await hang(pair)
    await pair.lab.network.cut({ host: 'n1' })
    await pair.answeredBy(pair.n2, hungMs)
    t.is(n1.resets, 1)
    await pair.comesBack(pair.n1)
    await pair.is(pair.n1, 'SECOND Ready')
    await pair.promisesHold(t)
  })
})

test('a primary that is frozen as a whole is switched off and does not go on behind the back of the other one', async (t) => {
  await withWatchdogs(t, short, async (pair, n1) => {
    await pair.serves()
    const frozenMs = monotonicMs()
    await pair.n1.host.freeze()
    await pair.answeredBy(pair.n2, frozenMs)
    t.is(n1.resets, 1)
    await pair.comesBack(pair.n1)
    await pair.is(pair.n1, 'SECOND Ready')
    await pair.promisesHold(t)
  })
})

test('a daemon that dies and is back in time resets nothing, and neither does one that is stopped in order', async (t) => {
  await withWatchdogs(t, long, async (pair, n1) => {
    await pair.serves()
    const killedMs = monotonicMs()
    await pair.n1.killDaemon()
    await pair.n1.waitUntilItAnswers()
    await pair.is(pair.n1, 'PRIM Ready')
    await pair.clientsGoOn()
    t.is(n1.resets, 0)
    await pair.order(pair.n1, 'stop')
    await pair.answeredBy(pair.n2, killedMs)
    await pair.is(pair.n1, 'STOP NotReady')
    t.false(n1.isGuarded, 'who serves no more is not reset')
    t.is(n1.resets, 0)
    await pair.order(pair.n1, 'start')
    await pair.is(pair.n1, 'SECOND Ready')
    await pair.is(pair.n2, 'PRIM Ready')
    await pair.promisesHold(t)
  })
})

test('a module that requires a watchdog is refused where there is none, and does not start where it does not answer', async (t) => {
  const options = watching(long)
  await t.throwsAsync(
    withPair(t, options, () => Promise.resolve()),
    {
      message: /\/run\/watchdog does not exist/,
    },
  )
  const slow = watching({ ...long, watchdogSeconds: 20 })
  const prepare = `mkfifo ${watchdogDevice}`
  await t.throwsAsync(
    withPair(t, { ...slow, prepare }, () => Promise.resolve()),
    {
      message: /takes over 18 s after the last heartbeat .* reset only 21 s after it: 20 s/,
    },
  )
  // A pipe that nobody reads: the device is there and does not work.
  await withPair(t, { ...options, prepare }, async (pair) => {
    await pair.order(pair.n1, 'prim')
    await pair.is(pair.n1, 'STOP NotReady')
    const { cause } = (await pair.n1.module('ledger'))?.state ?? { cause: '' }
    t.regex(cause, /nobody reads this pipe/)
    t.deepEqual(await pair.runners(), [])
  })
})
