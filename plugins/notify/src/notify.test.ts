/** Once, in order, not too often: the whole plugin with a log and a notifier in memory, and a clock that tests move. */
import { chmod, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Control,
  type ControlEvent,
  done,
  type LogEntry,
  type NoticeMessage,
  type Notifier,
  refused,
  route,
  type Verdict,
} from '@holdfast/sdk'
import { settled, startPlugin, type TestHost } from '@holdfast/sdk/testing'
import test, { type ExecutionContext } from 'ava'
import { attemptTimeoutMs } from './attempt.js'
import { attemptsMax, collectMs, emptyOutbox, pauseMs, step, waitingMax } from './decide.js'
import { plugin } from './index.js'
import { readSecret } from './secret.js'
import { noticeOf } from './select.js'
import type { Settings } from './settings.js'

const defaults: Settings = {
  ...{ levels: ['critical'], states: 'roles', messagesMax: 5, intervalSeconds: 300 },
}

test('what belongs together goes out in one message, in order, with cause and hint', async (t) => {
  const { journal, receiver, clock } = await notifying(t)
  journal.write('critical', 'dataPlaneKilled', { pid: 7, cause: 'it hung' })
  journal.write('event', 'stateChanged', {
    ...{ text: 'ALONE (Ready)', from: 'SECOND', role: 'ALONE', cause: 'n2 is silent' },
    hint: 'repair n2',
  })
  journal.write('event', 'addressTaken', { text: 'nobody asked for this' })
  await clock.pass(collectMs)
  t.deepEqual(receiver.texts, [['dataPlaneKilled pid=7: it hung', 'ALONE (Ready): n2 is silent']])
  const [message] = receiver.messages
  t.like(message, { cluster: 'c1', node: 'n1', dropped: 0 })
  t.is(message?.notices[1]?.hint, 'repair n2')
})

test('a restarted daemon sends what waited and what was written meanwhile, and nothing twice', async (t) => {
  const first = await notifying(t)
  const { journal } = first
  journal.write('critical', 'one')
  await first.clock.pass(collectMs)
  journal.write('critical', 'two') // Waits when the daemon stops.
  await first.host.stop()
  journal.write('critical', 'three') // Written by the start of the next one.
  const second = await notifying(t, { journal, services: first.host })
  await second.clock.pass(collectMs)
  t.deepEqual(first.receiver.texts, [['one']])
  t.deepEqual(second.receiver.texts, [['two', 'three']])
  await second.host.stop()
  const third = await notifying(t, { journal, services: second.host })
  await third.clock.pass(collectMs * 10)
  t.deepEqual(third.receiver.texts, [])
})

test('a new notifier begins now, and other settings bring up no old stories', async (t) => {
  const journal = new Journal()
  journal.write('critical', 'old')
  const first = await notifying(t, { journal })
  journal.write('warning', 'unwanted')
  await first.clock.pass(collectMs * 10)
  await first.host.stop()
  const settings = { ...defaults, levels: ['critical', 'warning'] as const }
  const second = await notifying(t, { journal, services: first.host, settings })
  await second.clock.pass(collectMs * 10)
  t.deepEqual([...first.receiver.texts, ...second.receiver.texts], [])
})

test('a log that was removed counts from 1 again, and its entries go out', async (t) => {
  const first = await notifying(t)
  for (let n = 0; n < 9; n++) first.journal.write('critical', 'before')
  await first.clock.pass(collectMs)
  await first.host.stop()
  const journal = new Journal()
  journal.write('critical', 'after')
  const second = await notifying(t, { journal, services: first.host })
  await second.clock.pass(collectMs)
  t.deepEqual(second.receiver.texts, [['after']])
})

test('a storm becomes few messages, and what did not fit is counted and told once', async (t) => {
  const { journal, receiver, clock, host } = await notifying(t)
  for (let n = 0; n < 5; n++) {
    journal.write('critical', `single${String(n)}`)
    await clock.pass(collectMs)
  }
  t.is(receiver.messages.length, 5)
  for (let n = 0; n < waitingMax + 40; n++) journal.write('critical', `storm${String(n)}`)
  await clock.pass(collectMs * 10)
  t.is(receiver.messages.length, 5)
  await clock.pass(300_000)
  const [digest, ...others] = receiver.messages.slice(5)
  t.is(digest?.dropped, 40)
  t.is(digest?.notices[0]?.text, 'storm40')
  t.true(others.every(({ dropped }) => dropped === 0))
  t.deepEqual(
    receiver.messages.slice(5).map(({ notices }) => notices.length),
    [100, 100, 100, 100, 100],
  )
  t.is(host.log.events.filter((event) => event === 'noticesDropped').length, 1)
})

test('a receiver that is away gets the same message again, later and later, until it is given up', async (t) => {
  const { journal, receiver, clock, host } = await notifying(t)
  receiver.answer = () => Promise.resolve(refused('E_TEST', 'nobody at home'))
  journal.write('critical', 'first')
  await clock.pass(collectMs)
  journal.write('critical', 'second')
  for (let attempt = 1; attempt < attemptsMax; attempt++) {
    await clock.pass(pauseMs(attempt) - 1)
    t.is(receiver.messages.length, attempt)
    await clock.pass(1)
    t.is(receiver.messages.length, attempt + 1)
  }
  t.is(new Set(receiver.messages.map(({ id }) => id)).size, 1)
  t.deepEqual(host.log.events, ['noticesNotSent', 'noticesGivenUp'])
  receiver.answer = () => Promise.resolve(done)
  await clock.pass(collectMs)
  t.deepEqual(receiver.texts.at(-1), ['second'])
})

test('a notifier that hangs or throws is a failed attempt, and its secret is told to nobody', async (t) => {
  const { journal, receiver, clock, host } = await notifying(t, { secret: 'hunter22' })
  let signal: AbortSignal | undefined
  receiver.answer = (_message, _secret, given) => {
    signal = given
    return new Promise(() => undefined)
  }
  journal.write('critical', 'one')
  await clock.pass(collectMs)
  await until(() => signal !== undefined)
  await clock.pass(attemptTimeoutMs)
  t.true(signal?.aborted)
  receiver.answer = (_message, secret) => Promise.reject(new Error(`login with ${String(secret)}`))
  await clock.pass(pauseMs(1))
  await until(() => receiver.messages.length === 2)
  await settled()
  const view = JSON.stringify(await host.contribution(route, 'notify show').handle(request))
  t.regex(view, /login with \*\*\*/)
  t.notRegex(view + JSON.stringify(host.log.lines), /hunter22/)
})

test('a test message is sent at once and says of each notifier what came of it', async (t) => {
  const { receiver, host } = await notifying(t)
  const sends = host.contribution(route, 'notify test')
  t.deepEqual(await sends.handle(request), {
    notifiers: [{ name: 'memory', ok: true, reason: '' }],
  })
  receiver.answer = () => Promise.resolve(refused('E_TEST', 'no'))
  t.deepEqual(await sends.handle(request), {
    notifiers: [{ name: 'memory', ok: false, reason: 'no' }],
  })
  const nobody = await startPlugin(plugin, {
    ...{ config: defaults, provided: { 'core.control': new Journal().control() } },
  })
  t.teardown(() => nobody.stop())
  await t.throwsAsync(async () => nobody.contribution(route, 'notify test').handle(request), {
    message: /no notifier/,
  })
})

test('levels and states select; what notifiers write themselves never goes out', (t) => {
  const journal = new Journal()
  const state = { from: 'PRIM', role: 'PRIM', text: 'PRIM (Transient)' }
  const same = journal.write('event', 'stateChanged', state)
  const other = journal.write('event', 'stateChanged', { ...state, role: 'ALONE' })
  const entry = journal.write('warning', 'x', { text: 'a\r\nBcc: all' })
  const sent = (one: LogEntry, settings: Partial<Settings>): boolean =>
    noticeOf(one, { ...defaults, ...settings }) !== undefined
  t.deepEqual([sent(same, {}), sent(other, {}), sent(entry, {})], [false, true, false])
  t.deepEqual([sent(same, { states: 'all' }), sent(other, { states: 'none' })], [true, false])
  t.is(noticeOf(entry, { ...defaults, levels: ['warning'] })?.text, 'a Bcc: all')
  for (const plugin of ['notify', 'notify-mail']) {
    t.false(sent({ ...other, plugin, level: 'critical' }, {}))
  }
})

test('a secret is read only from a file of its owner', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'hf-notify-'))
  t.teardown(() => rm(directory, { recursive: true }))
  const path = join(directory, 'secret')
  const reasonOf = async (): Promise<string> => {
    const read = await readSecret(path)
    return read.ok ? read.secret : read.reason
  }
  t.regex(await reasonOf(), /can't be read: ENOENT/)
  await writeFile(path, 'hunter22\n', { mode: 0o600 })
  t.is(await reasonOf(), 'hunter22')
  await chmod(path, 0o640)
  t.regex(await reasonOf(), /chmod 600/)
  await rm(path)
  await symlink('/dev/zero', path)
  t.regex(await reasonOf(), /is not a file/)
})

test('an answer that comes when nothing was sent changes nothing', (t) => {
  const rate = { messagesMax: 1, intervalMs: 1 }
  for (const event of [{ kind: 'delivered' }, { kind: 'failed', reason: 'x' }] as const) {
    t.deepEqual(step(emptyOutbox, event, 0, rate), { outbox: emptyOutbox, actions: [] })
  }
})

const request = { params: {}, query: {}, body: {}, signal: new AbortController().signal }

/** A log that outlives daemons. */
class Journal {
  readonly #entries: LogEntry[] = []
  readonly #watchers = new Set<(event: ControlEvent) => void>()

  write(
    level: LogEntry['level'],
    event: string,
    fields: Readonly<Record<string, unknown>> = {},
  ): LogEntry {
    const sequence = (this.#entries.at(-1)?.sequence ?? 0) + 1
    const entry = { sequence, atMs: sequence, level, event, fields, module: 'web', plugin: 'x' }
    this.#entries.push(entry)
    for (const on of this.#watchers) on({ kind: 'logged', entry })
    return entry
  }

  control(): Pick<Control, 'log' | 'watch' | 'cluster'> {
    const nothing = { version: '0.1.0', revision: 1, nodes: [] }
    return {
      log: ({ limit }) => this.#entries.slice(-limit),
      watch: (on) => {
        this.#watchers.add(on)
        return () => this.#watchers.delete(on)
      },
      cluster: () => ({ ...nothing, cluster: 'c1', self: 'n1' }),
    }
  }
}

class Receiver implements Notifier {
  readonly name = 'memory'
  readonly messages: NoticeMessage[] = []
  answer: (
    message: NoticeMessage,
    secret: string | undefined,
    signal: AbortSignal,
  ) => Promise<Verdict> = () => Promise.resolve(done)

  constructor(readonly secretFile: string | undefined) {}

  get texts(): readonly (readonly string[])[] {
    return this.messages.map(({ notices }) => notices.map(({ text }) => text))
  }

  deliver(
    message: NoticeMessage,
    secret: string | undefined,
    signal: AbortSignal,
  ): Promise<Verdict> {
    this.messages.push(message)
    return this.answer(message, secret, signal)
  }
}

interface World {
  readonly journal?: Journal
  readonly services?: Pick<TestHost, 'store'>
  readonly settings?: Settings
  readonly secret?: string
}

async function notifying(t: ExecutionContext, world: World = {}) {
  const { journal = new Journal(), services, settings = defaults, secret } = world
  const receiver = new Receiver(secret === undefined ? undefined : await fileOf(t, secret))
  const host = await startPlugin(plugin, {
    config: settings,
    ...(services === undefined ? {} : { services: { store: services.store } }),
    provided: { 'core.control': journal.control() },
    contributed: { 'point.notifier': { memory: receiver } },
  })
  t.teardown(() => host.stop())
  return { journal, receiver, host, clock: host.clock }
}

async function fileOf(t: ExecutionContext, secret: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'hf-notify-'))
  t.teardown(() => rm(directory, { recursive: true }))
  await writeFile(join(directory, 'secret'), `${secret}\n`, { mode: 0o600 })
  return join(directory, 'secret')
}

/** For what waits for the disk; the time-out of the test run ends it. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5))
}
