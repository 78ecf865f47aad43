import { mkdir, rename, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import anyTest, { type TestFn } from 'ava'
import type { ReplicaEvent, Verdict } from '@holdfast/sdk'
import { areServed } from './mounts.js'
import { placesCommands } from './places.js'
import { identify, signalProcess } from './process.js'
import {
  makePair,
  mountTypes,
  never,
  type Node,
  type Pair,
  realClock,
  socketPath,
  transition,
  until,
} from '../testing/world.js'

const test = anyTest as TestFn<{ pair: Pair }> // ava types its context only this way.
let nextId = 1

test.beforeEach(async (t) => {
  t.context.pair = await makePair({ id: nextId++ })
})

test.afterEach.always(async (t) => {
  await t.context.pair.remove()
})

function codeOf(verdict: Verdict): string {
  return verdict.ok ? 'ok' : `${verdict.code}: ${verdict.reason}`
}

async function orderNames(node: Node): Promise<readonly unknown[]> {
  return (await node.orders()).map(({ order }) => order)
}

async function serving(node: Node) {
  const driver = node.daemon()
  const events: ReplicaEvent[] = []
  driver.watch((event) => events.push(event))
  const verdict = await driver.enter(transition('wait', 'alone'), never)
  if (!verdict.ok) throw new Error(verdict.reason)
  return { driver, events }
}

test('a node that serves has its directories mounted, and one that left has not', async (t) => {
  const { n1 } = t.context.pair
  const { driver } = await serving(n1)
  for (const directory of n1.directories)
    t.deepEqual(await mountTypes(directory), ['fuse.holdfast'])
  t.is(codeOf(await driver.enter(transition('wait', 'alone'), never)), 'ok')
  const pid = await n1.planePid()
  t.is(codeOf(await driver.leave(transition('alone', 'wait', 'stop'), never)), 'ok')
  for (const directory of n1.directories) t.deepEqual(await mountTypes(directory), [])
  t.is(codeOf(await driver.enter(transition('wait', 'stop', 'stop'), never)), 'ok')
  t.deepEqual(await orderNames(n1), ['serve', 'unserve', 'exit'])
  t.is(await identify(pid ?? 0), undefined)
  t.false(n1.logged.some((line) => line.includes('dataPlaneDied')))
})

test('alone is told to the data plane, and roles that mean the same to it give no order', async (t) => {
  const { n1 } = t.context.pair
  const { driver } = await serving(n1)
  await driver.leave(transition('alone', 'prim'), never)
  await driver.enter(transition('alone', 'prim'), never)
  t.deepEqual(
    (await n1.orders()).map(({ order, generation, alone }) => ({ order, generation, alone })),
    [{ order: 'serve', generation: '1:n1', alone: true }],
  )
})

test('a restarted daemon takes over the data plane that serves, and does not start another', async (t) => {
  const { n1 } = t.context.pair
  await serving(n1)
  const pid = await n1.planePid()
  const second = n1.daemon()
  t.is(codeOf(await second.adopt('alone', '1:n1')), 'ok')
  t.is(await n1.planePid(), pid)
  t.is(codeOf(await second.leave(transition('alone', 'wait', 'stop'), never)), 'ok')
  t.deepEqual(await orderNames(n1), ['serve', 'unserve'])
})

test('a serving role is not adopted when the data plane died with the daemon', async (t) => {
  const { n1 } = t.context.pair
  await serving(n1)
  const second = n1.daemon()
  signalProcess((await n1.planePid()) ?? 0, 'SIGKILL')
  t.regex(codeOf(await second.adopt('alone', '1:n1')), /E_RFS_NOT_SERVING/)
  t.is(codeOf(await second.leave(transition('alone', 'wait', 'stop'), never)), 'ok')
  t.deepEqual(await mountTypes(n1.directories[0] ?? ''), [])
})

test('the death of a serving data plane is told, cleaned, and does not keep the node from serving again', async (t) => {
  const { n1 } = t.context.pair
  const { driver, events } = await serving(n1)
  signalProcess((await n1.planePid()) ?? 0, 'SIGKILL')
  t.true(await until(() => events.length > 0))
  t.is(events[0]?.kind, 'dataFailed')
  t.is(codeOf(await driver.leave(transition('alone', 'wait', 'stopstart'), never)), 'ok')
  for (const directory of n1.directories) t.deepEqual(await mountTypes(directory), [])
  t.is(codeOf(await driver.enter(transition('wait', 'alone'), never)), 'ok')
  t.deepEqual(await mountTypes(n1.directories[0] ?? ''), ['fuse.holdfast'])
})

test('a data plane that hangs is ended, and the directories are given back', async (t) => {
  const { n1 } = t.context.pair
  await serving(n1)
  const pid = (await n1.planePid()) ?? 0
  process.kill(pid, 'SIGSTOP')
  const second = n1.daemon()
  t.regex(codeOf(await second.adopt('alone', '1:n1')), /E_RFS_NOT_SERVING/)
  t.is(codeOf(await second.leave(transition('alone', 'wait', 'stop'), never)), 'ok')
  t.is(await identify(pid), undefined)
  t.deepEqual(await mountTypes(n1.directories[0] ?? ''), [])
})

test('a data plane that does not start is an error that says why', async (t) => {
  const { n1 } = t.context.pair
  await n1.fault({ failsAtStart: true })
  const verdict = await n1.daemon().enter(transition('wait', 'alone'), never)
  t.regex(codeOf(verdict), /E_RFS_START.*exit code 3.*told to fail at the start/)
})

test('a refusal of the data plane is the verdict of the transition', async (t) => {
  const { n1 } = t.context.pair
  await n1.fault({ refuse: 'serve' })
  const verdict = await n1.daemon().enter(transition('wait', 'alone'), never)
  t.is(codeOf(verdict), 'E_RFS_TEST: told to refuse')
})

test('a directory that is missing is not served', async (t) => {
  const { n1 } = t.context.pair
  await rm(n1.directories[1] ?? '', { recursive: true })
  const verdict = await n1.daemon().enter(transition('wait', 'alone'), never)
  t.regex(codeOf(verdict), /E_RFS_DIRECTORY.*more is missing/)
})

test('a directory that was made anew, or whose disk is not mounted, is not served before somebody accepts it', async (t) => {
  const { n1 } = t.context.pair
  const [, more = ''] = n1.directories
  const { driver } = await serving(n1)
  const run = placesCommands(driver.places, () => areServed(n1.directories)).get('rfs accept')?.run
  await t.throwsAsync(async () => run?.({}, never), { code: 'E_RFS_SERVED' })
  t.deepEqual(await driver.leave(transition('alone', 'wait', 'stop'), never), { ok: true })
  await rename(more, `${more}.away`)
  await mkdir(more)
  const again = n1.daemon()
  const refusal = await again.enter(transition('wait', 'alone'), never)
  t.regex(codeOf(refusal), /^E_RFS_REPLACED: .*more is not the directory that held/)
  t.deepEqual(await mountTypes(more), [])

  await rm(more, { recursive: true })
  await rename(`${more}.away`, more)
  t.deepEqual(await again.enter(transition('wait', 'alone'), never), { ok: true }, 'as it was')
  t.deepEqual(await again.leave(transition('alone', 'wait', 'stop'), never), { ok: true })
  await rename(more, `${more}.away`)
  await mkdir(more)
  const accept = placesCommands(again.places, () => areServed(n1.directories)).get('rfs accept')
  await rename(more, `${more}.new`)
  await t.throwsAsync(async () => accept?.run({}, never), {
    code: 'E_RFS_DIRECTORY',
    message: /more: ENOENT/,
  })
  const causes: string[] = []
  await again.places.takeUnasked((cause) => causes.push(cause))
  t.regex(causes.join(), /more: ENOENT/, 'a disk that fails is no reason to end the daemon')
  await rename(`${more}.new`, more)
  t.like(await accept?.run({}, never), { ok: true, data: { accepted: [more] } })
  t.like(await accept?.run({}, never), { ok: true, data: { accepted: [] } })
  t.deepEqual(await n1.daemon().enter(transition('wait', 'alone'), never), { ok: true })
})

test('a follower gets the session of its admission over the peers, and nobody logs the key', async (t) => {
  const { n1, n2 } = t.context.pair
  const { driver } = await serving(n1)
  await n2.fault({ finishes: true })
  const follower = n2.daemon()
  const events: ReplicaEvent[] = []
  follower.watch((event) => events.push(event))
  t.is(codeOf(await driver.admit({ epoch: 7, full: false })), 'ok')
  t.is(codeOf(await follower.follow({ epoch: 7, full: true })), 'ok')
  t.true(await until(() => events.length > 0))
  t.deepEqual(events, [{ kind: 'copyFinished', epoch: 7 }])
  t.is(await follower.heardMsAgo(), 0)
  const admitted = (await n1.orders()).find(({ order }) => order === 'admit')
  const followed = (await n2.orders()).find(({ order }) => order === 'follow')
  t.regex(String(admitted?.['key']), /^[0-9a-f]{64}$/)
  t.is(followed?.['key'], admitted?.['key'])
  t.is(followed?.['session'], admitted?.['session'])
  t.is(followed?.['port'], 5600 + 4 * (n1.context.id - 1))
  t.is(followed?.['address'], '127.0.0.1')
  const log = [...n1.logged, ...n2.logged].join('\n')
  t.false(log.includes(String(admitted?.['key'])))
  t.is(codeOf(await follower.unfollow()), 'ok')
  t.is(await follower.heardMsAgo(), undefined)
})

test('a session is never handed out twice', async (t) => {
  const { n1 } = t.context.pair
  const { driver } = await serving(n1)
  await driver.admit({ epoch: 3, full: false })
  const first = await driver.admissions.hand('n2', 3)
  const second = await driver.admissions.hand('n2', 3)
  t.not(first.session, second.session)
  t.not(first.key, second.key)
  const admits = (await n1.orders()).filter(({ order }) => order === 'admit')
  t.deepEqual(
    admits.map(({ session }) => session),
    [first.session, second.session],
  )
})

test('a follower that was not admitted, or speaks another format, gets no session', async (t) => {
  const { n1, n2 } = t.context.pair
  const { driver } = await serving(n1)
  await driver.admit({ epoch: 3, full: false })
  t.regex(codeOf(await n2.daemon().follow({ epoch: 4, full: false })), /E_RFS_NOT_ADMITTED/)
  const newer = driver.admissions.answer('n2', { ask: 'session', format: 2, epoch: 3 })
  await t.throwsAsync(newer, { code: 'E_RFS_PROTOCOL' })
})

test('a node that was told to stop following does not begin when the session comes late', async (t) => {
  const { n1, n2 } = t.context.pair
  const { driver } = await serving(n1)
  const follower = n2.daemon()
  // It asks for its session, and waits: it is not admitted yet.
  const following = follower.follow({ epoch: 4, full: false })
  t.true(await until(() => n2.logged.some((line) => line.includes('planeStarted'))))
  t.is(codeOf(await follower.unfollow()), 'ok')
  t.is(codeOf(await driver.admit({ epoch: 4, full: false })), 'ok')
  t.regex(codeOf(await following), /E_RFS_SUPERSEDED/)
  t.false((await orderNames(n2)).includes('follow'))
})

test('a link that was lost while the daemon was not connected to its data plane is told', async (t) => {
  const { n1 } = t.context.pair
  const { driver, events } = await serving(n1)
  await driver.admit({ epoch: 6, full: false })
  await n1.fault({ held: true })
  // Another client displaces the daemon for a moment.
  const other = connect(socketPath(n1))
  other.on('error', () => undefined)
  t.true(await until(() => events.some(({ kind }) => kind === 'linkLost')))
  t.like(events.at(-1), { kind: 'linkLost', epoch: 6 })
  other.destroy()
})

test('the death of a following data plane is a lost link, also to a daemon that comes later', async (t) => {
  const { n1, n2 } = t.context.pair
  const { driver } = await serving(n1)
  const follower = n2.daemon()
  const events: ReplicaEvent[] = []
  follower.watch((event) => events.push(event))
  await driver.admit({ epoch: 9, full: false })
  await follower.follow({ epoch: 9, full: false })
  const pid = (await n2.planePid()) ?? 0
  const later = n2.daemon()
  signalProcess(pid, 'SIGKILL')
  t.true(await until(async () => (await identify(pid)) === undefined))
  t.is(codeOf(await later.adopt('second', '1:n1')), 'ok')
  later.watch((event) => events.push(event))
  t.true(await until(() => events.length > 0))
  t.like(events[0], { kind: 'linkLost', epoch: 9 })
  t.is(codeOf(await later.unfollow()), 'ok')
})

test('a daemon whose role has no data ends what its data plane still does', async (t) => {
  const { n1 } = t.context.pair
  await serving(n1)
  t.is(codeOf(await n1.daemon().adopt('wait', '1:n1')), 'ok')
  t.deepEqual(await mountTypes(n1.directories[0] ?? ''), [])
})

test('directories that stay in use are unmounted under who holds them, after at most 10 s', async (t) => {
  const { n1 } = t.context.pair
  const { driver } = await serving(n1)
  await n1.fault({ busy: true })
  const startedMs = realClock.monotonicMs()
  t.is(codeOf(await driver.leave(transition('alone', 'wait', 'stop'), never)), 'ok')
  t.true(realClock.monotonicMs() - startedMs < 60_000)
  t.deepEqual(await mountTypes(n1.directories[0] ?? ''), [])
  t.true(n1.logged.some((line) => line.includes('unmountForced')))
  t.like((await n1.orders()).at(-1), { order: 'unserve', force: true })
})
