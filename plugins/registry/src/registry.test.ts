/** Registries: what an index may be, what a server may do, and what is chosen. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { HoldfastError } from '@holdfast/sdk'
import test from 'ava'
import { choose, moduleShelves, type Offer, parseWanted, search } from './choose.js'
import type { RegistryPlugin, RegistryPluginVersion } from './format.js'
import { Jobs } from './jobs.js'
import { baseOf, Registries } from './registries.js'
import { refusal, serverOf } from './rig.fixture.js'
import {
  index,
  platform,
  pluginVersion,
  registryIn,
  signed,
  version,
  worldOf,
} from './world.fixture.js'

test('an index is added once a trusted key signed it, and its signer stays its signer', async (t) => {
  const { registries, directory } = await worldOf(t)
  const place = join(directory, 'acme')
  const add = (name: string): Promise<unknown> =>
    registries.add({ name, address: place, unsigned: false })
  await registryIn(place, index(1), '')
  t.regex((await refusal(add('acme'))).message, /nobody signed it/)
  await registryIn(place, index(1), 'stranger')
  t.regex((await refusal(add('acme'))).message, /no key that this node trusts/)
  await registryIn(place, index(1))
  await add('acme')
  t.is(registries.one('acme').key, 'acme')
  t.is((await refusal(add('acme'))).code, 'E_REGISTRY_EXISTS')
  await registryIn(place, index(2), 'other')
  const [updated] = await registries.update()
  t.regex(updated?.failure ?? '', /other signed it, and not acme/)
  t.is(updated?.index?.number, 1)
  await registries.remove('acme')
  t.deepEqual(await readdir(join(directory, 'indexes')), [])
})

test('an index that is older than one seen before, or expired, is noticed, also after a restart', async (t) => {
  const world = await worldOf(t)
  const place = join(world.directory, 'acme')
  await registryIn(place, index(7))
  await world.registries.add({ name: 'acme', address: place, unsigned: false })
  await registryIn(place, index(6))
  const again = new Registries({
    ...{ directory: join(world.directory, 'indexes'), store: world.store, nowMs: () => world.now },
    control: { signerOf: () => Promise.resolve('acme') },
    log: { write: () => undefined },
  })
  await again.open()
  t.is(again.one('acme').index?.number, 7)
  const [old] = await again.update()
  t.regex(old?.failure ?? '', /shows index 6, but index 7 was seen here before/)
  world.now = Date.parse('2027-02-01T00:00:00Z')
  t.regex(again.expired(again.one('acme')) ?? '', /expired at 2027-01-01/)
  await registryIn(place, index(8))
  const [expired] = await again.update()
  t.regex(expired?.failure ?? '', /expired/)
  t.is(expired?.index?.number, 7)
})

const bell = (more: Partial<RegistryPluginVersion> = {}): RegistryPlugin => ({
  id: 'bell',
  versions: [pluginVersion('1.0.0', more)],
})
const hostile: readonly [string, string][] = [
  ['is no JSON', '<html>'],
  ['is something else', '{"hello":1}'],
  ['has no text', JSON.stringify({ index: 5, signature: '' })],
  ['has a module twice', signed(index(1, { modules: [...index(1).modules, ...index(1).modules] }))],
  [
    'has a version twice',
    signed(index(1, { modules: [{ id: 'shop', versions: [version('1.0.0'), version('1.0.0')] }] })),
  ],
  [
    'has a path as a file',
    signed(
      index(1, {
        modules: [{ id: 'shop', versions: [version('1.0.0', { file: '../../etc/x.safe' })] }],
      }),
    ),
  ],
  [
    'has an address as a file',
    signed(
      index(1, {
        modules: [{ id: 'shop', versions: [version('1.0.0', { file: 'http://x/y.safe' })] }],
      }),
    ),
  ],
  [
    'has a huge archive',
    signed(index(1, { modules: [{ id: 'shop', versions: [version('1.0.0', { bytes: 1e12 })] }] })),
  ],
  [
    'has no hash',
    signed(index(1, { modules: [{ id: 'shop', versions: [version('1.0.0', { sha256: 'x' })] }] })),
  ],
  [
    'has a version that is none',
    signed(index(1, { modules: [{ id: 'shop', versions: [version('latest')] }] })),
  ],
  ['has a negative number', signed(index(-1))],
  ['has a plugin twice', signed(index(1, { plugins: [bell(), bell()] }))],
  ['has a module as a plugin', signed(index(1, { plugins: [bell({ file: 'bell-1.0.0.safe' })] }))],
  [
    'has a plugin with an id of another form',
    signed(index(1, { plugins: [{ ...bell(), id: 'Bell' }] })),
  ],
  [
    'does not say what a plugin may do',
    signed(index(1, { plugins: [bell()] })).replace(/\\"capabilities\\"/, '\\"abilities\\"'),
  ],
  [
    'has a requirement that is an object',
    signed(index(1)).replace('\\"requires\\": {}', '\\"requires\\": {\\"a\\": {}}'),
  ],
  [
    'has a text in a text in a text without end',
    JSON.stringify({ index: '['.repeat(200_000), signature: 'acme' }),
  ],
  ['has keys of a prototype', '{"__proto__":{"index":"x","signature":"acme"}}'],
  ['says more than an index should', signed(index(1)).replace('{\\n', '{\\n \\"note\\": 1,')],
  ['expires at a time that is none', signed(index(1, { expires: 'tomorrow' }))],
  [
    'has a prototype as a module',
    signed(index(1, { modules: [{ id: '__proto__', versions: [version('1.0.0')] }] })),
  ],
]

for (const [what, text] of hostile) {
  test(`an index that ${what} is refused with one error, and nothing is kept of it`, async (t) => {
    const { registries, directory } = await worldOf(t)
    const url = await serverOf(t, (_, response) => response.end(text))
    const error = await refusal(
      registries.add({ name: 'acme', address: url.href, unsigned: false }),
    )
    t.is(error.code, 'E_REGISTRY_INVALID')
    t.deepEqual(registries.list(), [])
    t.deepEqual(await readdir(join(directory, 'indexes')), [])
  })
}

test('a server that sends an index without end is cut off', async (t) => {
  const { registries } = await worldOf(t)
  const url = await serverOf(t, (_, response) => {
    const more = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(64 * 1024, 32)));
      response.once('drain', more)
    }
    more()
  })
  const error = await refusal(registries.add({ name: 'acme', address: url.href, unsigned: true }))
  t.is(error.code, 'E_REGISTRY_SIZE')
})

test('of an address only the web and files are understood', (t) => {
  t.is(baseOf('/srv/www'), 'file:///srv/www/')
  t.is(baseOf('https://a/b'), 'https://a/b/')
  for (const bad of ['ftp://a/', 'javascript:1', 'srv/www', '']) {
    t.throws(() => baseOf(bad), { instanceOf: HoldfastError, code: 'E_REGISTRY_ADDRESS' })
  }
})

test('the newest version that fits is chosen, of the first place that has it', (t) => {
  const offers: readonly Offer[] = [
    {
      source: 'here',
      plugins: [],
      modules: [{ id: 'shop', versions: [version('1.1.0'), version('2.0.0-rc.1')] }],
    },
    {
      source: 'acme',
      plugins: [],
      modules: [
        {
          id: 'shop',
          versions: [
            version('1.1.0'),
            version('1.10.0', { platforms: ['other'] }),
            version('1.2.0'),
          ],
        },
      ],
    },
  ]
  const chosen = (what: string): string => {
    const { source, version: one } = choose(parseWanted(what), moduleShelves(offers), platform)
    return `${source} ${one.version}`
  }
  t.is(chosen('shop'), 'acme 1.2.0')
  t.is(chosen('shop@~1.1.0'), 'here 1.1.0')
  t.is(chosen('acme/shop@1.1.0'), 'acme 1.1.0')
  t.is(chosen('shop@2.0.0-rc.1'), 'here 2.0.0-rc.1')
  const none = t.throws(() => chosen('shop@^3.0.0'), { instanceOf: HoldfastError })
  t.regex(none.message, /no shop@\^3.0.0 in here, acme: there are 1.1.0/)
  const mistyped = (what: string): string =>
    t.throws(() => chosen(what), { instanceOf: HoldfastError }).hint ?? ''
  t.regex(mistyped('shpo'), /did you mean shop\?/)
  t.regex(mistyped('acne/shop'), /did you mean acme\?/)
  t.notRegex(mistyped('database'), /did you mean/)
  for (const bad of ['Shop', 'shop@x y z', '../shop', '']) {
    t.throws(() => parseWanted(bad), { instanceOf: HoldfastError, code: 'E_REGISTRY_NAME' })
  }
  t.deepEqual(
    search('SHOP', moduleShelves(offers)).map(
      ({ source, version: one }) => `${source} ${one.version}`,
    ),
    ['here 2.0.0-rc.1', 'acme 1.10.0'],
  )
  t.deepEqual(search('shop database', moduleShelves(offers)), [])
})

test('a job tells its end, and its failure with code and hint', async (t) => {
  const clock = {
    after: (ms: number, call: () => void) => {
      const timer = setTimeout(call, ms)
      return () => {
        clearTimeout(timer)
      }
    },
  }
  const jobs = new Jobs(clock, () => undefined)
  const good = jobs.start((_, tell) => {
    tell({ bytes: 5, total: 10 })
    return Promise.resolve({ path: '/x' })
  })
  const { state, bytes, result } = await jobs.look(good.job)
  t.deepEqual({ state, bytes, result }, { state: 'done', bytes: 5, result: { path: '/x' } })
  const bad = jobs.start(() => Promise.reject(new HoldfastError('E_X', 'no', { hint: 'yes' })))
  t.deepEqual((await jobs.look(bad.job)).error, { code: 'E_X', message: 'no', hint: 'yes' })
  t.is((await refusal(jobs.look('j99'))).code, 'E_REGISTRY_JOB_UNKNOWN')
})
