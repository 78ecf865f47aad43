import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { appendFile, cp, mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import type { ReplicaEvent } from '@holdfast/sdk'
import { withInstallation } from '../testing/installation.js'
import { makePair, never, type Pair, transition, until } from '../testing/world.js'
import { codeOf, InstalledCode } from './code.js'
import { successionProblem } from './kept.js'
import { identify } from './process.js'
import { type Renewal, type RenewalFacts, renewalOf } from './renew.js'

const entry = fileURLToPath(new URL('../plane/main.js', import.meta.url))
const churn = fileURLToPath(new URL('../plane/churn.fixture.js', import.meta.url))

async function withPair(
  options: Parameters<typeof makePair>[0],
  run: (pair: Pair) => Promise<void>,
): Promise<void> {
  const pair = await makePair(options)
  try {
    await run(pair)
  } finally {
    await pair.remove()
  }
}

/** n1 serves alone, n2 follows it in epoch 5. */
async function following({ n1, n2 }: Pair) {
  const [server, follower] = [n1.daemon(), n2.daemon()]
  const events: ReplicaEvent[] = []
  server.watch((event) => events.push(event))
  const served = await server.enter(transition('wait', 'alone'), never)
  if (!served.ok) throw new Error(served.reason)
  await server.admit({ epoch: 5, full: false })
  const followed = await follower.follow({ epoch: 5, full: false })
  if (!followed.ok) throw new Error(followed.reason)
  return { server, follower, events }
}

test('a data plane is replaced only where nobody is interrupted for long, and never on both nodes at once', (t) => {
  const [old, fresh] = [
    { version: '1', digest: 'old' },
    { version: '2', digest: 'new' },
  ]
  const usual: RenewalFacts = {
    running: old,
    installed: fresh,
    role: 'serving',
    link: 'live',
    obstacle: undefined,
    isPeerConnected: true,
    peer: undefined,
  }
  const second = { role: 'following' } as const
  const table: readonly (readonly [Partial<RenewalFacts>, Renewal['kind'], RegExp])[] = [
    [{ running: { version: '1', digest: 'new' } }, 'keep', /^$/],
    [{}, 'now', /^$/],
    [{ running: undefined }, 'now', /^$/],
    [{ obstacle: 'nothing keeps the mounts' }, 'cannot', /nothing keeps/],
    [{ isPeerConnected: false }, 'wait', /can not be asked/],
    [{ isPeerConnected: false, link: 'none' }, 'now', /^$/],
    [{ isPeerConnected: false, link: 'held' }, 'now', /^$/],
    [{ role: 'idle', link: 'none' }, 'later', /does nothing/],
    [{ ...second, peer: old }, 'later', /primary has other code too/],
    [{ ...second, peer: undefined }, 'later', /primary has other code too/],
    [{ ...second, peer: fresh }, 'now', /^$/],
    [{ ...second, peer: fresh, link: 'copying' }, 'now', /^$/],
    [{ ...second, peer: fresh, link: 'none' }, 'later', /session is over/],
    [{ ...second, isPeerConnected: false }, 'wait', /not known which/],
    [{ ...second, peer: fresh, obstacle: 'it does not start' }, 'cannot', /does not start/],
  ]
  for (const [different, kind, why] of table) {
    const renewal = renewalOf({ ...usual, ...different })
    t.is(renewal.kind, kind, JSON.stringify(different))
    t.regex('why' in renewal ? renewal.why : '', why, JSON.stringify(different))
  }
  for (const running of [old, fresh]) {
    const both = { ...usual, installed: fresh }
    const primary = renewalOf({ ...both, running })
    const secondary = renewalOf({ ...both, ...second, peer: running })
    t.false(primary.kind === 'now' && secondary.kind === 'now', 'both at once')
  }
})

test('the same bytes are the same code, and a byte of what a thread of the data plane loads makes it another', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'holdfast-code-'))
  try {
    await cp(fileURLToPath(new URL('../../', import.meta.url)), root, { recursive: true })
    const copied = join(root, 'dist/plane/main.js')
    const code = await codeOf(copied)
    const installed = new InstalledCode(copied)
    t.deepEqual(code, await codeOf(entry))
    t.deepEqual(await installed.look(), code)
    t.is(await installed.look(), await installed.look(), 'nothing is read again')
    t.regex(code?.digest ?? '', /^[0-9a-f]{16}$/)
    await appendFile(join(root, 'dist/driver/driver.js'), '// of the daemon')
    await writeFile(join(root, 'package.json'), '{"version":"9.9.9"}')
    t.deepEqual(await codeOf(copied), { version: '9.9.9', digest: code?.digest ?? '' })
    t.deepEqual(await installed.look(), { version: '9.9.9', digest: code?.digest ?? '' })
    const jobs = join(root, 'dist/plane/workers/jobs.js')
    const [text, { atime, mtime }] = [await readFile(jobs, 'utf8'), await stat(jobs)]
    // Another byte, and neither size nor time tells it.
    await writeFile(jobs, text.replace('/**', '/* '))
    await utimes(jobs, atime, mtime)
    t.not((await codeOf(copied))?.digest, code?.digest)
    t.deepEqual(await installed.look(), await codeOf(copied))
    await rm(jobs)
    t.is(await codeOf(copied), undefined)
    t.is(await installed.look(), undefined)
    await writeFile(jobs, text)
    t.deepEqual(await installed.look(), { version: '9.9.9', digest: code?.digest ?? '' })
  } finally {
    await rm(root, { recursive: true, force: true })
  }
})

test('a follower with other code follows anew when its primary has the installed one, and another process follows', async (t) => {
  await withPair({ id: 41 }, async (pair) => {
    const { n1, n2 } = pair
    await n2.fault({ otherCode: true, finishes: true })
    const { server } = await following(pair)
    const former = await n2.planePid()
    await n2.fault({})
    const upgraded = n2.daemon()
    const events: ReplicaEvent[] = []
    upgraded.watch((event) => events.push(event))
    t.deepEqual(await upgraded.adopt('second', '1:n1'), { ok: true })
    t.true(await until(() => events.some(({ kind }) => kind === 'linkLost')))
    t.like(events.at(-1), { epoch: 5 })
    await server.admit({ epoch: 6, full: false })
    t.deepEqual(await upgraded.follow({ epoch: 6, full: false }), { ok: true })
    t.not(await n2.planePid(), former)
    const orders = (await n2.orders()).map(({ order }) => order)
    t.deepEqual(orders, ['follow', 'unfollow', 'exit', 'follow'])
    t.is(upgraded.remark(), undefined)
    t.is((await n1.orders()).filter(({ order }) => order === 'admit').length, 2)
  })
})

test('a follower with other code goes on as long as the one of its primary has other code too', async (t) => {
  await withPair({ id: 42 }, async (pair) => {
    const { n1, n2 } = pair
    for (const node of [n1, n2]) await node.fault({ otherCode: true, finishes: true })
    const { server } = await following(pair)
    const former = await n2.planePid()
    for (const node of [n1, n2]) await node.fault({})
    const upgraded = n2.daemon()
    const events: ReplicaEvent[] = []
    upgraded.watch((event) => events.push(event))
    t.deepEqual(await upgraded.adopt('second', '1:n1'), { ok: true })
    t.true(await until(() => upgraded.remark() !== undefined))
    t.regex(upgraded.remark() ?? '', /version 0\.0\.1 \(other\).*is installed; .*next use/)
    t.deepEqual(
      events.filter(({ kind }) => kind === 'linkLost'),
      [],
    )
    t.is(await n2.planePid(), former)
    await server.admit({ epoch: 6, full: false })
    t.deepEqual(await upgraded.follow({ epoch: 6, full: false }), { ok: true })
    t.not(await n2.planePid(), former)
    t.is(upgraded.remark(), undefined)
  })
})

test('a data plane that serves stays when nothing keeps its mounts, and the state says so', async (t) => {
  await withPair({ id: 43 }, async ({ n1 }) => {
    await n1.fault({ otherCode: true })
    t.deepEqual(await n1.daemon().enter(transition('wait', 'alone'), never), { ok: true })
    const former = await n1.planePid()
    const upgraded = n1.daemon()
    t.deepEqual(await upgraded.adopt('alone', '1:n1'), { ok: true })
    t.true(await until(() => upgraded.remark() !== undefined))
    t.regex(upgraded.remark() ?? '', /until the module's next start: nothing keeps the mounts/)
    t.is(await n1.planePid(), former)
    t.deepEqual(await upgraded.leave(transition('alone', 'wait', 'stop'), never), { ok: true })
    t.is(upgraded.remark(), undefined)
    await n1.fault({ failsAtStart: true })
    t.deepEqual(await upgraded.enter(transition('wait', 'alone'), never), { ok: true })
    t.is(await n1.planePid(), former, 'one that does not start takes nobody’s place')
    t.deepEqual(await upgraded.leave(transition('alone', 'wait', 'stop'), never), { ok: true })
    await n1.fault({})
    t.deepEqual(await upgraded.enter(transition('wait', 'alone'), never), { ok: true })
    t.not(await n1.planePid(), former, 'what is idle gives its place at the next use')
  })
})

test('what keeps the mounts is believed only when it lives and has them', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-kept-'))
  const holder = spawn('sleep', ['1000'], { stdio: 'ignore' })
  try {
    const file = join(directory, 'kept.json')
    const problem = async (change: object): Promise<string | undefined> => {
      const keeper = { pid: holder.pid, startTicks: started?.startTicks }
      const volumes = [{ index: 0, directory: '/srv/data', point: '/srv/data' }]
      const kept = { format: 1, keeper, generation: '1:n1', epoch: 1, alone: true, volumes }
      await writeFile(file, JSON.stringify({ ...kept, ...change }))
      return successionProblem(file)
    }
    const started = await identify(holder.pid ?? 0)
    t.regex((await successionProblem(file)) ?? '', /nothing keeps the mounts/)
    t.regex((await problem({ format: 2 })) ?? '', /nothing keeps the mounts/)
    t.regex((await problem({ refused: true })) ?? '', /giving up its role/)
    t.regex((await problem({})) ?? '', /the mount on \/srv\/data is not kept/)
    const ended = once(holder, 'exit')
    holder.kill('SIGKILL')
    await ended
    t.regex((await problem({})) ?? '', /has ended/)
  } finally {
    holder.kill('SIGKILL')
    await rm(directory, { recursive: true, force: true })
  }
})

test('a follower whose copy speaks another version is refused by name, and told which node to upgrade', async (t) => {
  await withPair({ id: 44 }, async ({ n1, n2 }) => {
    const server = n1.daemon()
    t.deepEqual(await server.enter(transition('wait', 'alone'), never), { ok: true })
    await server.admit({ epoch: 5, full: false })
    const question = { ask: 'session', format: 1, epoch: 5 }
    for (const [speaks, older] of [
      [1, 'n2'],
      [3, 'n1'],
    ] as const) {
      await t.throwsAsync(server.admissions.answer('n2', { ...question, speaks }), {
        code: 'E_RFS_VERSION',
        message: new RegExp(`n1 speaks version 2 .* n2 version ${speaks}: upgrade ${older} too`),
      })
    }
    t.like(await server.admissions.answer('n2', { ...question, speaks: 2 }), { port: 5772 })

    await n2.fault({ speaks: '3' })
    const follower = n2.daemon()
    const following = follower.follow({ epoch: 5, full: false })
    t.true(await until(() => follower.remark() !== undefined))
    t.regex(follower.remark() ?? '', /upgrade n1 too/)
    t.like(await following, { code: 'E_RFS_VERSION' })
    t.is(follower.remark(), undefined)
    t.false((await n2.orders()).some(({ order }) => order === 'follow'))
  })
})

test('after an upgrade another data plane goes on with the mounts, and a program that writes notices nothing', async (t) => {
  await withPair({ id: 45, entry }, async (pair) => {
    await withInstallation({ 'plane/main.js': '// upgraded' }, async (upgradedEntry) => {
      const { n1, n2 } = pair
      const [data = '', copy = ''] = [n1.directories[0], n2.directories[0]]
      const { follower, events: early } = await following(pair)
      t.true(await until(() => early.some(({ kind }) => kind === 'copyFinished')))
      const program = spawn(process.execPath, [churn, data], {
        stdio: ['pipe', 'ignore', 'inherit'],
        env: { ...process.env, NODE_V8_COVERAGE: '' },
      })
      const ended = once(program, 'exit')
      t.true(
        await until(() =>
          readFile(`${data}/log`).then(
            () => true,
            () => false,
          ),
        ),
      )
      const former = await n1.planePid()

      const upgraded = n1.daemon(upgradedEntry)
      const events: ReplicaEvent[] = []
      upgraded.watch((event) => events.push(event))
      t.deepEqual(await upgraded.adopt('prim', '1:n1'), { ok: true })
      t.true(await until(() => !existsSync(`/proc/${String(former)}`)))
      const shift = await upgraded.enter(transition('alone', 'prim'), never)
      t.deepEqual(shift, { ok: true }, 'a change of role meanwhile leaves the mounts alone')
      t.true(await until(() => events.some(({ kind }) => kind === 'linkLost')))
      t.like(events.at(-1), { epoch: 5 })
      t.not(await n1.planePid(), former)
      t.deepEqual((await upgraded.status())?.code, await codeOf(upgradedEntry))
      t.is(upgraded.remark(), undefined)

      t.deepEqual(await upgraded.detach({ epoch: 6, generation: '2:n1' }), { ok: true })
      t.deepEqual(await upgraded.admit({ epoch: 7, full: false }), { ok: true })
      t.deepEqual(await follower.follow({ epoch: 7, full: false }), { ok: true })
      const isCopied = (event: ReplicaEvent) => event.kind === 'copyFinished' && event.epoch === 7
      t.true(await until(() => events.some(isCopied)))
      program.stdin.end()
      t.deepEqual(await ended, [0, null], 'it heard of no error')
      t.is(await readFile(`${copy}/log`, 'utf8'), await readFile(`${data}/log`, 'utf8'))

      const again = n1.daemon(upgradedEntry)
      const present = await n1.planePid()
      t.deepEqual(await again.adopt('prim', '2:n1'), { ok: true })
      t.deepEqual(await again.leave(transition('prim', 'wait', 'stop'), never), { ok: true })
      t.is(await n1.planePid(), present, 'the same code is adopted as it is')
      for (const one of [again, follower]) {
        t.deepEqual(await one.enter(transition('wait', 'stop', 'stop'), never), { ok: true })
      }
      t.deepEqual(
        events.filter(({ kind }) => kind === 'dataFailed'),
        [],
      )
    })
  })
})

test('a data plane that serves is not given up for one that does not start', async (t) => {
  await withPair({ id: 46, entry }, async ({ n1 }) => {
    await withInstallation(
      { 'plane/libc.js': '\nthrow new Error("no such library")\n' },
      async (broken) => {
        t.deepEqual(await n1.daemon().enter(transition('wait', 'alone'), never), { ok: true })
        const former = await n1.planePid()
        const upgraded = n1.daemon(broken)
        t.deepEqual(await upgraded.adopt('alone', '1:n1'), { ok: true })
        t.true(await until(() => upgraded.remark() !== undefined))
        t.regex(upgraded.remark() ?? '', /the new one does not start: .*no such library/s)
        t.is(await n1.planePid(), former)
        await writeFile(`${n1.directories[0] ?? ''}/file`, 'still served')
        t.deepEqual(await upgraded.leave(transition('alone', 'wait', 'stop'), never), { ok: true })
      },
    )
  })
})
