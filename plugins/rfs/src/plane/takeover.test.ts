import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import test from 'ava'
import { keptFile, readKept } from '../driver/kept.js'
import { withInstallation } from '../testing/installation.js'
import { type TestPlane, differences, join2, pair, shell } from './plane.fixture.js'

const CHURN = new URL('./churn.fixture.js', import.meta.url).pathname
const KILLS = Number(process.env['HOLDFAST_KILLS'] ?? 12)

/** Runs the program that must not notice anything beside `work`; resolves with what it printed. */
async function churning(server: TestPlane, work: () => Promise<void>): Promise<string> {
  const child = spawn(process.execPath, [CHURN, server.directory], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, NODE_V8_COVERAGE: '' },
  })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text))
  const ended = once(child, 'close')
  try {
    await work()
  } finally {
    child.stdin.end()
    await Promise.race([ended, delay(20_000)])
    child.kill('SIGKILL')
  }
  return said.trim()
}

test.serial(
  'a program does not notice that the data plane is killed while it serves alone',
  async (t) => {
    await pair(async (server) => {
      const said = await churning(server, async () => {
        for (let kill = 0; kill < KILLS; kill++) {
          await delay(20 + Math.random() * 300)
          await server.replace()
        }
      })
      t.regex(said, /^\d+$/)
      t.log(`${said} rounds`)
      const lines = readFileSync(`${server.directory}/log`, 'utf8').split('\n').slice(0, -1)
      t.deepEqual(
        lines,
        lines.map((_, index) => `line ${index}`),
        'each line is there once',
      )
      await server.must('unserve', { force: false })
    })
  },
)

test.serial(
  'nor while a follower is live; its changes wait until the session is sorted out',
  async (t) => {
    await pair(async (server, follower) => {
      await join2(server, follower)
      const said = await churning(server, async () => {
        for (let kill = 1; kill <= KILLS; kill++) {
          await delay(20 + Math.random() * 300)
          await server.replace()
          const status = await server.must('status')
          t.is(status['link'], 'held')
          t.is(status['epoch'], kill)
          if (kill % 2 === 0) await server.must('detach', { epoch: 100, generation: `g${kill}` })
          await join2(server, follower, kill + 1)
        }
      })
      t.regex(said, /^\d+$/)
      t.log(`${said} rounds`)
      await server.must('drain')
      await server.must('unserve', { force: false })
      await follower.must('unfollow')
      t.is(await differences(server.directory, follower.directory), '')
    })
  },
)

test.serial(
  'nor that the data plane of another installation goes on in its place, as after an upgrade, with a follower of the old one',
  async (t) => {
    await withInstallation({ 'plane/main.js': '// upgraded' }, async (upgraded) => {
      await pair(async (server, follower) => {
        await join2(server, follower)
        const { code } = await server.must('status')
        const said = await churning(server, async () => {
          await server.replace(upgraded)
          await join2(server, follower, 2)
        })
        t.regex(said, /^\d+$/)
        t.notDeepEqual((await server.must('status'))['code'], code, 'it runs the new program')
        await server.must('drain')
        t.is(await differences(server.directory, follower.directory), '')
      })
    })
  },
)

test.serial(
  'a keeper that is killed is replaced, and a successor goes on with that one',
  async (t) => {
    await pair(async (server) => {
      const said = await churning(server, async () => {
        const first = await keeperOf(server, 0)
        process.kill(first, 'SIGKILL')
        const second = await keeperOf(server, first)
        await server.replace()
        t.not(await keeperOf(server, second), first)
      })
      t.regex(said, /^\d+$/)
      await server.must('unserve', { force: false })
    })
  },
)

test.serial('who ends each keeper is let, and the mounts go on without one', async (t) => {
  await pair(async (server) => {
    await shell(`echo still served > ${server.directory}/f`)
    for (let killed = 0, keeper = 0; killed < 4; killed++) {
      keeper = await keeperOf(server, keeper)
      process.kill(keeper, 'SIGKILL')
    }
    const until = Date.now() + 30_000
    while (!isForgone(server)) {
      await delay(20)
      t.true(Date.now() < until, 'a keeper was started for ever')
    }
    t.is(readFileSync(join(server.directory, 'f'), 'utf8'), 'still served\n')
  })
})

function isForgone({ events }: TestPlane): boolean {
  return events.some(({ name }) => name === 'keeperForgone')
}

/** The number of the process that keeps the descriptors, when it is another than `former`. */
async function keeperOf({ launch }: TestPlane, former: number): Promise<number> {
  const until = Date.now() + 30_000
  while (Date.now() < until) {
    await delay(20)
    const kept = await readKept(keptFile(launch.socket))
    if (kept !== undefined && kept.keeper.pid !== former) return kept.keeper.pid
  }
  throw new Error('no other keeper came')
}
