/** Verifications as the operator orders them: what of, by whom, and what is kept of those that end at once. */
import test from 'ava'
import type { HoldfastError, Log } from '@holdfast/sdk'
import type { PlaneOrder, VerifyReport } from '../driver/protocol.js'
import type { Answer } from '../driver/socket.js'
import { memoryStore } from '../testing/store.js'
import { realClock } from '../testing/world.js'
import { Verifications, type VerifyRequest } from './verifications.js'

const equal: VerifyReport = {
  ...{ outcome: 'equal', cause: undefined, ms: 1, names: 1, bytes: 1, skipped: 0 },
  ...{ differences: 0, repaired: 0, zoneBytes: 262_144, listed: [] },
}

/** A node that serves, with a data plane whose answer the test decides. */
function node(answer: (verifications: Verifications) => Promise<Answer>) {
  const said: string[] = []
  const orders: PlaneOrder[] = []
  const log: Log = { write: (_, event) => void said.push(event) }
  const verifications: Verifications = new Verifications({
    clock: realClock,
    log,
    store: memoryStore(),
    directories: ['/srv/one', '/srv/my data'],
    order: (order) => {
      orders.push(order)
      return answer(verifications)
    },
    status: () => Promise.resolve({ role: 'serving', link: 'live' }),
  })
  return { verifications, said, orders }
}

const request = (path: string): VerifyRequest => ({ by: 'operator', repair: true, path })

test('one that ends before its order is answered is kept as what it was, and is over', async (t) => {
  const { verifications, said } = node(async (all) => {
    await all.ended(equal)
    return { ok: true, fields: {} }
  })
  await verifications.begin(request('/srv/one/file'))
  t.like(await verifications.last(), { outcome: 'equal', path: '/srv/one/file', repair: true })
  await verifications.lost('the data plane died')
  t.deepEqual(said, ['verified'])
})

test('an order that is refused changes nothing of the one under way', async (t) => {
  let refuses = false
  const refusal: Answer = { ok: false, code: 'E_RFS_VERIFYING', reason: 'busy' }
  const { verifications } = node(() =>
    Promise.resolve(refuses ? refusal : { ok: true, fields: {} }),
  )
  await verifications.begin(request('/srv/one/file'))
  refuses = true
  await t.throwsAsync(verifications.begin(request('/srv/my data')), { code: 'E_RFS_VERIFYING' })
  await verifications.ended(equal)
  t.like(await verifications.last(), { path: '/srv/one/file' })
})

test('a path is taken as a shell would, and one outside says what there is', async (t) => {
  const { verifications, orders } = node(() => Promise.resolve({ ok: true, fields: {} }))
  const places = [
    ['/srv/my data/', 1, ''],
    ['/srv/one/../my data//a/./b', 1, 'a/b'],
    ['/srv/one/größe', 0, Buffer.from('größe').toString('latin1')],
  ] as const
  for (const [path, volume, within] of places) {
    await verifications.begin(request(path))
    t.like(orders.at(-1), { order: 'verify', volume, path: within })
  }
  for (const path of ['', 'one', '/srv', '/srv/one/../..', '/srv/one2']) {
    const error = await t.throwsAsync<HoldfastError>(verifications.begin(request(path)), {
      code: 'E_RFS_OUTSIDE',
      message: `"${path}" is in no replicated directory`,
    })
    t.is(error.hint, 'there are: /srv/one, /srv/my data')
  }
})
