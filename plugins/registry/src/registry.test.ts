/** Registries: what an index may be, what a server may do, and what arrives in the end. */
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { HoldfastError, type PeerState, type Peers } from '@holdfast/sdk'
import test, { type ExecutionContext } from 'ava'
import { choose, moduleShelves, type Offer, parseWanted, search } from './choose.js'
import { ArchiveStore } from './download.js'
import {
  indexName,
  indexText,
  parseSigned,
  type RegistryIndex,
  type RegistryModule,
  type RegistryPlugin,
  type RegistryPluginVersion,
  type RegistryVersion,
  signedText,
} from './format.js'
import { Jobs } from './jobs.js'
import { Market } from './market.js'
import { serveArchives } from './peers.js'
import { baseOf, Registries } from './registries.js'
import { directoryOf, refusal, serverOf } from './rig.fixture.js'

const platform = process.platform
const archive = Buffer.from('an archive, as far as a registry knows')
const sha256 = createHash('sha256').update(archive).digest('hex')
const version = (text: string, more: Partial<RegistryVersion> = {}): RegistryVersion => ({
  ...{ version: text, title: 'Shop', platforms: [platform], requires: {} },
  ...{ file: `shop-${text}.safe`, bytes: archive.byteLength, sha256 },
  ...more,
})
const pluginVersion = (
  text: string,
  more: Partial<RegistryPluginVersion> = {},
): RegistryPluginVersion => ({
  ...version(text, { title: 'A bell', file: `bell-${text}.hfp` }),
  ...{ holdfast: '^0.1.0', capabilities: ['net.connect'], process: false },
  ...more,
})
const index = (number: number, more: Partial<RegistryIndex> = {}): RegistryIndex => ({
  ...{ name: 'acme', number, issued: '2026-01-01T00:00:00Z', expires: '2027-01-01T00:00:00Z' },
  modules: [{ id: 'shop', versions: [version('1.0.0'), version('1.1.0')] }],
  plugins: [],
  ...more,
})
/** The signature names its key: the tests' own way to sign. */
const signed = (one: RegistryIndex, signature = 'acme'): string =>
  signedText(indexText(one), signature)

class MemoryStore {
  readonly values = new Map<string, unknown>()
  read<T>(name: string): Promise<T | undefined> {
    return Promise.resolve(this.values.get(name) as T | undefined) // The writer's type.
  }
  write(name: string, value: unknown): Promise<void> {
    this.values.set(name, structuredClone(value))
    return Promise.resolve()
  }
}

interface World {
  readonly registries: Registries
  readonly store: MemoryStore
  readonly directory: string
  now: number
}

async function worldOf(t: ExecutionContext): Promise<World> {
  const directory = await directoryOf(t)
  const store = new MemoryStore()
  const world = { directory, store, now: Date.parse('2026-06-01T00:00:00Z') }
  const registries = new Registries({
    ...{ directory: join(directory, 'indexes'), store, nowMs: () => world.now },
    control: {
      signerOf: ({ signature }) =>
        Promise.resolve(['acme', 'other'].includes(signature) ? signature : undefined),
    },
    log: { write: () => undefined },
  })
  await registries.open()
  return Object.assign(world, { registries })
}

async function registryIn(
  directory: string,
  one: RegistryIndex,
  signature?: string,
): Promise<void> {
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, indexName), signed(one, signature))
  const entries: readonly RegistryModule[] = [...one.modules, ...one.plugins]
  for (const { file } of entries.flatMap(({ versions }) => versions)) {
    await writeFile(join(directory, file), archive)
  }
}

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

const forever = new AbortController().signal

/** Two nodes that talk in memory. */
function pairOf(): { readonly n1: Peers; readonly n2: Peers } {
  const answers = new Map<string, (node: string, message: unknown) => Promise<unknown>>()
  const make = (self: string, other: string): Peers => ({
    ...{ self, others: [other] },
    state: (node): PeerState => ({ node, lans: [], connected: true, incarnation: undefined }),
    watch: () => () => undefined,
    send: () => true,
    onMessage: () => () => undefined,
    call: async (node, message) => {
      const answer = answers.get(node)
      if (answer === undefined) throw new HoldfastError('E_PEER_DOWN', 'away')
      return await answer(self, message)
    },
    onCall: (answer) => {
      answers.set(self, answer)
      return () => answers.delete(self)
    },
    address: () => undefined,
  })
  return { n1: make('n1', 'n2'), n2: make('n2', 'n1') }
}

async function marketOf(
  t: ExecutionContext,
  peers: Peers,
): Promise<{ market: Market; world: World }> {
  const world = await worldOf(t)
  const market = new Market({
    ...{ registries: world.registries, peers, store: world.store },
    control: {
      version: '0.1.0',
      packageInspect: () => Promise.reject(new Error('not asked')),
      plugins: () => Promise.resolve([]),
    },
    archives: new ArchiveStore(join(world.directory, 'archives')),
    bundled: join(world.directory, 'bundled'),
  })
  return { market, world }
}

test('a node without a registry installs what another node has, and a damaged delivery is noticed', async (t) => {
  const { n1, n2 } = pairOf()
  const one = await marketOf(t, n1)
  const two = await marketOf(t, n2)
  await registryIn(join(one.world.directory, 'bundled'), index(1), '')
  serveArchives(n1, one.market)
  serveArchives(n2, two.market)
  const fetched = await two.market.fetch('shop@1.0.0', 'module', forever, () => undefined)
  t.is(fetched.from, 'n1/shop@1.0.0')
  t.is(fetched.vouched, 'node n1, a member of this cluster')
  t.deepEqual(await readFile(fetched.path), archive)
  // It has it now, and would offer it in turn.
  t.is((await two.market.stock()).modules[0]?.versions[0]?.version, '1.0.0')
  const question = { kind: 'piece', sha256: '../../etc/passwd', offset: 0 }
  t.is((await refusal(n2.call('n1', question, 1))).code, 'E_REGISTRY_INVALID')
  await writeFile(join(one.world.directory, 'bundled/shop-1.1.0.safe'), 'damaged')
  const damaged = await refusal(
    one.market.fetch('bundled/shop', 'module', forever, () => undefined),
  )
  t.is(damaged.code, 'E_REGISTRY_HASH')
})

test('a plugin of a registry is found, brought here by its hash, and offered to the other nodes', async (t) => {
  const { n1, n2 } = pairOf()
  const one = await marketOf(t, n1)
  const two = await marketOf(t, n2)
  serveArchives(n1, one.market)
  serveArchives(n2, two.market)
  const place = join(one.world.directory, 'acme')
  const plugins = [{ id: 'bell', versions: [pluginVersion('1.0.0'), pluginVersion('1.1.0')] }]
  await registryIn(place, index(1, { modules: [], plugins }))
  await one.world.registries.add({ name: 'acme', address: place, unsigned: false })
  const [missing] = await one.market.resolve({ requires: { bell: '^1.0.0' }, by: 'shop' })
  t.is(`${missing?.choice?.source ?? ''}/${missing?.version ?? ''}`, 'acme/1.1.0')
  const fetched = await one.market.fetch('bell@1.0.0', 'plugin', forever, () => undefined)
  t.deepEqual(await readFile(fetched.path), archive)
  t.is(fetched.vouched, 'the index of acme, signed by acme')
  const here = await one.market.fetch('here/bell', 'plugin', forever, () => undefined)
  t.is(here.vouched, fetched.vouched)
  t.deepEqual((await two.market.stock()).plugins, [])
  const again = await two.market.fetch('n1/bell', 'plugin', forever, () => undefined)
  t.is(again.from, 'n1/bell@1.0.0')
  t.is((await two.market.stock()).plugins[0]?.versions[0]?.holdfast, '^0.1.0')
  const asModule = await refusal(two.market.fetch('bell', 'module', forever, () => undefined))
  t.is(asModule.code, 'E_REGISTRY_UNKNOWN')
})

test('a mirror is a registry again, with the signature of its publisher', async (t) => {
  const { market, world } = await marketOf(t, pairOf().n1)
  const plugins = [{ id: 'bell', versions: [pluginVersion('1.0.0')] }]
  await registryIn(join(world.directory, 'acme'), index(3, { plugins }))
  const { registries } = world
  await registries.add({ name: 'acme', address: join(world.directory, 'acme'), unsigned: false })
  const copy = join(world.directory, 'copy')
  t.deepEqual(await market.mirror('acme', copy, forever, () => undefined), { archives: 3 })
  t.deepEqual((await readdir(copy)).sort(), [
    ...['bell-1.0.0.hfp', 'index.json', 'shop-1.0.0.safe', 'shop-1.1.0.safe'],
  ])
  await registries.add({ name: 'copy', address: copy, unsigned: false })
  t.is(registries.one('copy').key, 'acme')
  t.is(parseSigned(await readFile(join(copy, indexName), 'utf8'), 'copy').index.number, 3)
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
