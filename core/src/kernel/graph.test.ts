/** The order of activation, or all reasons why there is none. */
import type { PluginManifest } from '@holdfast/sdk'
import test from 'ava'
import { type GraphInput, resolveOrder } from './graph.js'
import { fixesMajor, satisfies } from './versions.js'

function manifest(id: string, parts: Partial<PluginManifest> = {}): PluginManifest {
  return {
    id,
    version: '1.0.0',
    engines: { holdfast: '^0.1.0' },
    entry: 'index.js',
    scope: 'module',
    platforms: ['linux'],
    needs: [],
    provides: [],
    contributes: [],
    requires: {},
    conflicts: [],
    capabilities: [],
    config: { type: 'object' },
    startTimeoutMs: 1_000,
    stopTimeoutMs: 1_000,
    ...parts,
  }
}

function world(available: PluginManifest[], wanted: string[]): GraphInput {
  return {
    scope: 'module',
    platform: 'linux',
    wanted: wanted.map((id) => ({ id, because: `<${id}> is there` })),
    available,
    broken: new Map(),
    coreTokens: ['core.clock'],
    satisfies,
  }
}

function orderOf(input: GraphInput): string[] | readonly string[] {
  const result = resolveOrder(input)
  return result.ok ? result.order.map(({ id }) => id) : result.reasons
}

test('providers of a token and contributors to a point come before whoever needs them', (t) => {
  const available = [
    manifest('mirror', { needs: ['point.resource', 'data.replica', 'core.clock'] }),
    manifest('vip', { contributes: ['point.resource'] }),
    manifest('rfs', { provides: ['data.replica'], contributes: ['point.resource'] }),
  ]
  t.deepEqual(orderOf(world(available, ['mirror', 'vip', 'rfs'])), ['rfs', 'vip', 'mirror'])
})

test('the order does not depend on the order of discovery', (t) => {
  const available = ['d', 'a', 'c', 'b'].map((id) => manifest(id))
  const wanted = ['c', 'b', 'a', 'd']
  t.deepEqual(orderOf(world(available, wanted)), ['a', 'b', 'c', 'd'])
  t.deepEqual(orderOf(world(available.toReversed(), wanted.toReversed())), ['a', 'b', 'c', 'd'])
})

test('what a plugin requires becomes active too, and their needs alone say in which order', (t) => {
  const available = [
    manifest('a', { requires: { z: '^1.0.0' } }),
    manifest('z', { requires: { y: '^1.0.0' } }),
    manifest('y'),
    manifest('unused'),
  ]
  t.deepEqual(orderOf(world(available, ['a'])), ['a', 'y', 'z'])
  const host = manifest('host', { needs: ['point.checker*'] })
  const checker = manifest('zcheck', {
    contributes: ['point.checker'],
    requires: { host: '^1.0.0' },
  })
  t.deepEqual(orderOf(world([host, checker], ['zcheck'])), ['zcheck', 'host'])
})

test('an optional need is ordered when somebody provides it, and no reason when nobody does', (t) => {
  const needer = manifest('a', { needs: ['data.replica?'] })
  t.deepEqual(orderOf(world([needer], ['a'])), ['a'])
  const provider = manifest('z', { provides: ['data.replica'] })
  t.deepEqual(orderOf(world([needer, provider], ['a', 'z'])), ['z', 'a'])
})

test('all reasons come at once', (t) => {
  const available = [
    manifest('a', { requires: { b: '^2.0.0', gone: '^1.0.0' }, conflicts: ['b'] }),
    manifest('b', { provides: ['data.x'] }),
    manifest('c', { provides: ['data.x', 'core.clock'], needs: ['data.y', 'data.z'] }),
    manifest('d', { platforms: ['win32'], scope: 'node' }),
    manifest('e', { provides: ['data.z'] }),
  ]
  const input = { ...world(available, ['a', 'c', 'd', 'bad']), broken: new Map([['bad', 'torn']]) }
  t.deepEqual(
    orderOf(input),
    [
      "plugin a can't be active beside b",
      "plugin bad can't be used: torn (needed because <bad> is there)",
      'plugin b is 1.0.0, but a requires b in version ^2.0.0',
      'plugin d is of scope node, here module is needed',
      'plugin d runs on win32, not on linux',
      'plugin gone is not installed (needed because a requires gone)',
      'token core.clock is provided by core and by c',
      'token data.x is provided by b and by c',
      'token data.y is needed by c and nobody provides it',
      'token data.z is needed by c and nobody provides it (e would, but is not active here)',
    ].sort(),
  )
})

test('a cycle is told as a path', (t) => {
  const available = [
    manifest('a', { needs: ['data.c'], provides: ['data.a'] }),
    manifest('b', { needs: ['data.a'], contributes: ['point.b'] }),
    manifest('c', { needs: ['point.b'], provides: ['data.c'] }),
  ]
  t.deepEqual(orderOf(world(available, ['a', 'b', 'c'])), [
    'cycle: a → c (needs data.c) → b (needs point.b) → a (needs data.a)',
  ])
})

test('a plugin that needs its own token is a cycle, one that hears its own point is not', (t) => {
  const selfish = manifest('a', { needs: ['data.a'], provides: ['data.a'] })
  t.deepEqual(orderOf(world([selfish], ['a'])), ['cycle: a → a (needs data.a)'])
  const social = manifest('a', { needs: ['point.a'], contributes: ['point.a'] })
  t.deepEqual(orderOf(world([social], ['a'])), ['a'])
})

const ranges: readonly [string, boolean][] = [
  ['^0.1.0', true],
  ['~1.2.3', true],
  ['>=1.0.0 <2.0.0', true],
  ['1.x', true],
  ['1.2.3', true],
  ['*', false],
  ['>=1.0.0', false],
  ['^1.0.0 || ^2.0.0', false],
  ['>=1.0.0 <3.0.0', false],
  ['nonsense', false],
]

for (const [range, expected] of ranges) {
  test(`the range ${range} ${expected ? 'fixes' : 'does not fix'} the major`, (t) => {
    t.is(fixesMajor(range), expected)
  })
}
