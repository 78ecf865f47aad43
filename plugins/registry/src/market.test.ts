/** What one node brings from a registry, offers to another, and copies. */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { HoldfastError, type PeerState, type Peers } from '@holdfast/sdk'
import test, { type ExecutionContext } from 'ava'
import { ArchiveStore } from './download.js'
import { indexName, parseSigned } from './format.js'
import { Market } from './market.js'
import { serveArchives } from './peers.js'
import { refusal } from './rig.fixture.js'
import { archive, index, pluginVersion, registryIn, type World, worldOf } from './world.fixture.js'

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
  t.deepEqual(here, fetched)
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
