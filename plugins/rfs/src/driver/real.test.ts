import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import type { ReplicaEvent } from '@holdfast/sdk'
import { identify, signalProcess } from './process.js'
import { makePair, mountTypes, never, transition, until } from '../testing/world.js'

const entry = fileURLToPath(new URL('../plane/main.js', import.meta.url))

test('with the real data plane: a write arrives, a restarted daemon adopts, a holder is ended at the leave', async (t) => {
  const pair = await makePair({ id: 60, entry })
  const { n1, n2 } = pair
  const [data = '', copy = ''] = [n1.directories[0], n2.directories[0]]
  try {
    const events: ReplicaEvent[] = []
    const first = n1.daemon()
    t.deepEqual(await first.enter(transition('wait', 'alone'), never), { ok: true })
    await writeFile(`${data}/before`, 'written alone')

    const follower = n2.daemon()
    first.watch((event) => events.push(event))
    t.deepEqual(await first.admit({ epoch: 5, full: false }), { ok: true })
    t.deepEqual(await follower.follow({ epoch: 5, full: false }), { ok: true })
    t.true(await until(() => events.some(({ kind }) => kind === 'copyFinished')))
    t.is(await readFile(`${copy}/before`, 'utf8'), 'written alone')
    await writeFile(`${data}/after`, 'written together')
    t.is(await readFile(`${copy}/after`, 'utf8'), 'written together')

    const second = n1.daemon()
    t.deepEqual(await second.adopt('prim', '1:n1'), { ok: true })
    t.not(await second.heardMsAgo(), undefined)
    const late: ReplicaEvent[] = []
    second.watch((event) => late.push(event))
    t.true(await until(() => late.length > 0))
    t.deepEqual(late[0], { kind: 'copyFinished', epoch: 5 })

    const holder = spawn('sh', ['-c', `exec sleep 1000 >${data}/held`], { cwd: data })
    t.true(
      await until(() =>
        stat(`${data}/held`).then(
          () => true,
          () => false,
        ),
      ),
    )
    t.deepEqual(await second.leave(transition('prim', 'wait', 'swap'), never), { ok: true })
    t.true(await until(async () => (await identify(holder.pid ?? 0)) === undefined))
    t.deepEqual(await mountTypes(data), [])

    t.deepEqual(await follower.leave(transition('second', 'alone'), never), { ok: true })
    t.deepEqual(await follower.enter(transition('second', 'alone'), never), { ok: true })
    t.is(await readFile(`${copy}/after`, 'utf8'), 'written together')
    t.deepEqual(await follower.leave(transition('alone', 'wait', 'stop'), never), { ok: true })
    for (const driver of [second, follower]) {
      t.deepEqual(await driver.enter(transition('wait', 'stop', 'stop'), never), { ok: true })
    }
    for (const node of [n1, n2]) t.is(await node.planePid(), undefined)
  } finally {
    await pair.remove()
  }
})

test('a data plane that is killed while it serves is replaced: the application goes on, the topology hears of a lost link', async (t) => {
  const pair = await makePair({ id: 61, entry })
  const { n1, n2 } = pair
  const [data = '', copy = ''] = [n1.directories[0], n2.directories[0]]
  try {
    const events: ReplicaEvent[] = []
    const driver = n1.daemon()
    driver.watch((event) => events.push(event))
    t.deepEqual(await driver.enter(transition('wait', 'alone'), never), { ok: true })
    const follower = n2.daemon()
    t.deepEqual(await driver.admit({ epoch: 5, full: false }), { ok: true })
    t.deepEqual(await follower.follow({ epoch: 5, full: false }), { ok: true })
    t.true(await until(() => events.some(({ kind }) => kind === 'copyFinished')))

    // Another process, like every application: whoever starts a data plane must not hold files on its mount.
    const writer = spawn(
      'sh',
      ['-c', `exec >${data}/file; while read -r text; do echo $text; done`],
      {
        stdio: ['pipe', 'ignore', 'inherit'],
      },
    )
    const ended = once(writer, 'exit')
    const wrote = (text: string): Promise<boolean> =>
      until(async () => (await readFile(`${data}/file`, 'utf8').catch(() => '')).includes(text))
    writer.stdin.write('before\n')
    t.true(await wrote('before'))
    events.length = 0
    signalProcess((await n1.planePid()) ?? 0, 'SIGKILL')
    writer.stdin.write('meanwhile\n')
    t.true(await until(() => events.some(({ kind }) => kind === 'linkLost')))
    t.deepEqual(
      events.map(({ kind }) => kind),
      ['copyFinished', 'linkLost'],
      'the write waits for what the topology decides',
    )
    t.deepEqual(await driver.detach({ epoch: 6, generation: '2:n1' }), { ok: true })
    t.true(await wrote('meanwhile'))

    signalProcess((await n1.planePid()) ?? 0, 'SIGKILL')
    writer.stdin.end('afterwards\n')
    t.deepEqual(await ended, [0, null])
    t.true(await until(() => n1.logged.filter((l) => l.includes('dataPlaneReplaced')).length === 2))
    t.is(await readFile(`${data}/file`, 'utf8'), 'before\nmeanwhile\nafterwards\n')

    t.deepEqual(await follower.leave(transition('second', 'wait'), never), { ok: true })
    t.deepEqual(await driver.admit({ epoch: 7, full: false }), { ok: true })
    t.deepEqual(await follower.follow({ epoch: 7, full: false }), { ok: true })
    t.true(await until(() => events.some((e) => e.kind === 'copyFinished' && e.epoch === 7)))
    t.is(await readFile(`${copy}/file`, 'utf8'), 'before\nmeanwhile\nafterwards\n')

    // While no daemon runs the application waits; the next one finds the mounts and goes on with them.
    driver.disconnect()
    signalProcess((await n1.planePid()) ?? 0, 'SIGKILL')
    const late = spawn('sh', ['-c', `echo late >${data}/late`])
    const lateEnded = once(late, 'exit')
    const second = n1.daemon()
    const told: string[] = []
    second.watch((event) => {
      events.push(event)
      told.push(event.kind)
    })
    t.deepEqual(await second.adopt('prim', '2:n1'), { ok: true })
    t.true(await until(() => told.includes('linkLost')))
    t.deepEqual(told, ['copyFinished', 'linkLost'], 'nobody heard that the follower was current')
    t.deepEqual(await second.detach({ epoch: 8, generation: '3:n1' }), { ok: true })
    t.deepEqual(await lateEnded, [0, null])

    t.deepEqual(await second.leave(transition('prim', 'wait', 'stop'), never), { ok: true })
    t.deepEqual(await mountTypes(data), [])
    for (const one of [second, follower]) {
      t.deepEqual(await one.enter(transition('wait', 'stop', 'stop'), never), { ok: true })
    }
    for (const node of [n1, n2]) t.is(await node.planePid(), undefined)
    t.deepEqual(
      events.filter(({ kind }) => kind === 'dataFailed'),
      [],
    )
  } finally {
    await pair.remove()
  }
})

test('a change of role in the moment when a serving data plane dies waits for its successor', async (t) => {
  const pair = await makePair({ id: 64, entry })
  const { n1 } = pair
  const [data = ''] = n1.directories
  try {
    const driver = n1.daemon()
    const events: ReplicaEvent[] = []
    driver.watch((event) => events.push(event))
    t.deepEqual(await driver.enter(transition('wait', 'alone'), never), { ok: true })
    for (const [from, to] of [
      ['alone', 'prim'],
      ['prim', 'alone'],
    ] as const) {
      const former = (await n1.planePid()) ?? 0
      signalProcess(former, 'SIGKILL')
      t.deepEqual(await driver.enter(transition(from, to), never), { ok: true })
      t.deepEqual(await mountTypes(data), ['fuse.holdfast'], 'the mounts were kept')
      t.not(await n1.planePid(), former)
    }
    t.deepEqual(
      events.filter(({ kind }) => kind === 'dataFailed'),
      [],
    )
    t.deepEqual(await driver.leave(transition('alone', 'wait', 'stop'), never), { ok: true })
    t.deepEqual(await driver.enter(transition('wait', 'stop', 'stop'), never), { ok: true })
  } finally {
    await pair.remove()
  }
})

test('a follower may have its data in another directory than before, and serves from that one later', async (t) => {
  const pair = await makePair({ id: 65, entry })
  const { n1, n2 } = pair
  const [data = ''] = n2.directories
  try {
    const follower = n2.daemon()
    t.deepEqual(await follower.enter(transition('wait', 'alone'), never), { ok: true })
    t.deepEqual(await follower.leave(transition('alone', 'wait', 'stop'), never), { ok: true })
    await rm(data, { recursive: true })
    await mkdir(data)
    t.like(await follower.enter(transition('wait', 'alone'), never), { code: 'E_RFS_REPLACED' })

    const driver = n1.daemon()
    const events: ReplicaEvent[] = []
    t.deepEqual(await driver.enter(transition('wait', 'alone'), never), { ok: true })
    t.deepEqual(await driver.admit({ epoch: 5, full: false }), { ok: true })
    t.deepEqual(await follower.follow({ epoch: 5, full: false }), { ok: true })
    // The daemon that ordered it does not hear that it is done.
    follower.disconnect()
    t.true(await until(async () => (await driver.status())?.link === 'live'))
    const later = n2.daemon()
    later.watch((event) => events.push(event))
    t.deepEqual(await later.adopt('second', '1:n1'), { ok: true })
    t.true(await until(() => events.some(({ kind }) => kind === 'copyFinished')))
    t.deepEqual(await later.leave(transition('second', 'wait'), never), { ok: true })
    t.deepEqual(await driver.leave(transition('alone', 'wait', 'stop'), never), { ok: true })
    t.deepEqual(await later.enter(transition('wait', 'alone'), never), { ok: true })
    t.deepEqual(await later.leave(transition('alone', 'wait', 'stop'), never), { ok: true })
    for (const one of [driver, later]) {
      t.deepEqual(await one.enter(transition('wait', 'stop', 'stop'), never), { ok: true })
    }
  } finally {
    await pair.remove()
  }
})

test('an application does not wait for a data plane that is given up: its calls fail, so that it can be stopped', async (t) => {
  const pair = await makePair({ id: 62, entry })
  const { n1 } = pair
  const data = n1.directories[0] ?? ''
  try {
    const events: ReplicaEvent[] = []
    const driver = n1.daemon()
    driver.watch((event) => events.push(event))
    t.deepEqual(await driver.enter(transition('wait', 'alone'), never), { ok: true })
    const writer = spawn('sh', ['-c', `while echo line >>${data}/file; do :; done; exit 3`], {
      stdio: 'ignore',
    })
    const ended = once(writer, 'exit')
    for (let deaths = 1; deaths <= 4; deaths++) {
      signalProcess((await n1.planePid()) ?? 0, 'SIGKILL')
      const isSettled = (line: string): boolean => /dataPlane(Not)?Replaced/.test(line)
      t.true(await until(() => n1.logged.filter(isSettled).length === deaths))
    }
    t.true(n1.logged.some((line) => line.includes('dataPlaneNotReplaced')))
    t.deepEqual(await ended, [3, null])
    t.true(await until(() => events.some(({ kind }) => kind === 'dataFailed')))
    t.deepEqual(await driver.leave(transition('alone', 'wait', 'stop'), never), { ok: true })
    t.deepEqual(await mountTypes(data), [])
  } finally {
    await pair.remove()
  }
})
