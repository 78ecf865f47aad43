import { spawn } from 'node:child_process'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import type { ReplicaEvent } from '@holdfast/sdk'
import { identify } from './process.js'
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
