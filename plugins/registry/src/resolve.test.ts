/** Which plugins are brought here for what is required, and what is said when none fit. */
import { HoldfastError } from '@holdfast/sdk'
import test, { type ExecutionContext } from 'ava'
import type { RegistryPluginVersion } from './format.js'
import { demandsOf, type Present, resolvePlugins, type Surroundings } from './resolve.js'

type Ranges = Readonly<Record<string, string>>

const version = (
  text: string,
  requires: Ranges = {},
  more: Partial<RegistryPluginVersion> = {},
): RegistryPluginVersion => ({
  ...{ version: text, title: 'x', platforms: ['linux'], requires, holdfast: '^0.1.0' },
  ...{ capabilities: [], process: false, file: 'x.hfp', bytes: 1, sha256: '0'.repeat(64) },
  ...more,
})

const present = (id: string, text: string, more: Partial<Present> = {}): Present => ({
  ...{ id, version: text, requires: {}, builtin: false, enabled: true },
  ...more,
})

function around(
  plugins: Readonly<Record<string, readonly RegistryPluginVersion[]>>,
  here: readonly Present[] = [],
): Surroundings {
  const entries = Object.entries(plugins).map(([id, versions]) => ({ id, versions }))
  return {
    ...{ present: here, platform: 'linux', holdfast: '0.1.0' },
    offers: [{ source: 'acme', modules: [], plugins: entries }],
  }
}

const found = (requires: Ranges, world: Surroundings): readonly string[] =>
  resolvePlugins(demandsOf(requires, 'shop'), world).map(
    ({ id, version: one, choice }) => `${id} ${one}${choice === undefined ? ' is here' : ''}`,
  )

function refusal(t: ExecutionContext, requires: Ranges, world: Surroundings): string {
  const error = t.throws(() => found(requires, world), {
    instanceOf: HoldfastError,
    code: 'E_REGISTRY_REQUIRES',
  })
  return error.message
}

test('what is installed and fits stays; of what is missing the newest that fits is chosen', (t) => {
  const world = around({ bell: [version('1.0.0'), version('1.2.0'), version('2.0.0')] }, [
    present('rfs', '0.1.0', { builtin: true }),
    present('bell', '1.0.0'),
  ])
  t.deepEqual(found({ rfs: '^0.1.0', bell: '^1.0.0' }, world), ['bell 1.0.0 is here'])
  t.deepEqual(found({ bell: '^1.1.0' }, world), ['bell 1.2.0'])
  t.deepEqual(found({ bell: '*' }, world), ['bell 1.0.0 is here'])
})

test('what a plugin requires comes with it, and an older version is chosen when only that fits all', (t) => {
  const world = around({
    bell: [version('1.0.0', { clapper: '^1.0.0' }), version('1.1.0', { clapper: '^2.0.0' })],
    tower: [version('1.0.0', { clapper: '^1.0.0', bell: '^1.0.0' })],
    clapper: [version('1.0.0'), version('2.0.0')],
  })
  t.deepEqual([...found({ bell: '^1.0.0' }, world)].sort(), ['bell 1.1.0', 'clapper 2.0.0'])
  t.deepEqual([...found({ tower: '*', bell: '*' }, world)].sort(), [
    ...['bell 1.0.0', 'clapper 1.0.0', 'tower 1.0.0'],
  ])
})

test('plugins that require each other in a circle are found all the same', (t) => {
  const world = around({ a: [version('1.0.0', { b: '*' })], b: [version('1.0.0', { a: '*' })] })
  t.deepEqual(found({ a: '*' }, world), ['a 1.0.0', 'b 1.0.0'])
})

test('everything that is missing is said at once, with what there is', (t) => {
  const world = around(
    {
      bell: [version('1.0.0')],
      horn: [version('1.0.0', {}, { platforms: ['win32'] })],
      drum: [version('1.0.0', {}, { holdfast: '^9.0.0' })],
      lute: [version('1.0.0', { string: '^1.0.0' })],
      rfs: [version('7.0.0')],
      new: [version('1.0.0-rc.1')],
    },
    [
      present('rfs', '0.1.0', { builtin: true }),
      present('vip', '0.1.0', { builtin: true, enabled: false }),
    ],
  )
  const said = refusal(
    t,
    {
      ...{ bell: '^2.0.0', gone: '*', horn: '*', drum: '*', lute: '*' },
      ...{ rfs: '^7.0.0', vip: '*', new: '^1.0.0' },
    },
    world,
  ).split('; ')
  t.deepEqual(said, [
    'plugin bell (shop requires ^2.0.0): there are 1.0.0 (acme)',
    'plugin gone (shop requires *): it is in none of acme',
    'plugin horn (shop requires *): there are 1.0.0 (acme, for win32)',
    'plugin drum (shop requires *): there are 1.0.0 (acme, for Holdfast ^9.0.0)',
    'plugin string (lute 1.0.0 requires ^1.0.0): it is in none of acme',
    'plugin rfs (shop requires ^7.0.0): there are 0.1.0 (a part of Holdfast)',
    'plugin vip (shop requires *) is disabled: holdfast plugin enable vip',
    'plugin new (shop requires ^1.0.0): there are 1.0.0-rc.1 (acme)',
  ])
})

test('plugins that can be had but not together are named with the ranges that exclude each other', (t) => {
  const world = around({
    bell: [version('1.0.0', { clapper: '^1.0.0' })],
    tower: [version('1.0.0', { clapper: '^2.0.0' })],
    clapper: [version('1.0.0'), version('2.0.0')],
  })
  const said = refusal(t, { bell: '*', tower: '*' }, world)
  t.regex(
    said,
    /plugin clapper \(bell 1\.0\.0 requires \^1\.0\.0, tower 1\.0\.0 requires \^2\.0\.0\)/,
  )
})

test('a puzzle made to take for ever is given up', (t) => {
  const many = Array.from({ length: 30 }, (_, at) => version(`1.0.${at}`))
  const ids = Array.from({ length: 12 }, (_, at) => `p${at}`)
  const plugins = Object.fromEntries(ids.map((id) => [id, many]))
  const last = many.map(({ version: text }) => version(text, { gone: '*' }))
  const requires = Object.fromEntries([...ids, 'last'].map((id) => [id, '*']))
  t.regex(refusal(t, requires, around({ ...plugins, last })), /plugin gone/)
})
