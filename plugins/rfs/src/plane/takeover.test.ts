import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import test from 'ava'
import { type TestPlane, differences, join2, pair } from './plane.fixture.js'

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
