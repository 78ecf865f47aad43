/** What is refused before a plugin's code counts: manifests, and entries that break their manifest. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HoldfastError, type PluginManifest } from '@holdfast/sdk'
import test from 'ava'
import { discoverPlugins } from './discover.js'
import { loadPlugin } from './loader.js'

async function withPlugins(
  files: Readonly<Record<string, string>>,
  act: (directory: string) => Promise<void>,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-plugins-'))
  try {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(join(directory, path, '..'), { recursive: true })
      await writeFile(join(directory, path), text)
    }
    await act(directory)
  } finally {
    await rm(directory, { recursive: true })
  }
}

const good: PluginManifest = {
  ...{ id: 'good', version: '1.0.0', engines: { holdfast: '^0.1.0' }, entry: 'index.js' },
  ...{ scope: 'module', platforms: ['linux'], needs: [], provides: [], contributes: [] },
  ...{ requires: {}, conflicts: [], capabilities: [], config: {} },
  ...{ startTimeoutMs: 100, stopTimeoutMs: 100 },
}

test('a manifest with unknown keys, a loose engine range or a bad schema is refused before any import', async (t) => {
  const entry = 'globalThis.holdfastImported = true'
  await withPlugins(
    {
      'good/plugin.json': JSON.stringify(good),
      'good/index.js': entry,
      'engine/plugin.json': JSON.stringify({
        ...good,
        id: 'engine',
        engines: { holdfast: '^9.0.0' },
      }),
      'engine/index.js': entry,
      'extra/plugin.json': JSON.stringify({ ...good, id: 'extra', surprise: 1 }),
      'loose/plugin.json': JSON.stringify({
        ...good,
        id: 'loose',
        engines: { holdfast: '>=0.1.0' },
      }),
      'noentry/plugin.json': JSON.stringify({ ...good, id: 'noentry' }),
      'outside/plugin.json': JSON.stringify({ ...good, id: 'outside', entry: 'a/../../x.js' }),
      'schema/plugin.json': JSON.stringify({ ...good, id: 'schema', config: { type: 'what' } }),
      'torn/plugin.json': '{"id":',
      'twin/plugin.json': JSON.stringify(good),
      'twin/index.js': entry,
      'unrelated/readme.txt': 'no plugin',
    },
    async (directory) => {
      const { sources, broken } = await discoverPlugins([directory], '0.1.0')
      t.deepEqual(
        sources.map(({ manifest }) => manifest.id),
        ['good'],
      )
      t.deepEqual(
        broken.map(({ id, code }) => `${id} ${code}`),
        [
          'engine E_PLUGIN_ENGINE',
          'extra E_PLUGIN_MANIFEST',
          'loose E_PLUGIN_MANIFEST',
          'noentry E_PLUGIN_ENTRY',
          'outside E_PLUGIN_MANIFEST',
          'schema E_PLUGIN_MANIFEST',
          'torn E_PLUGIN_MANIFEST',
          'twin E_PLUGIN_DUPLICATE',
        ],
      )
      t.false('holdfastImported' in globalThis)
    },
  )
})

const entries: readonly [string, string, string][] = [
  ['that throws at import', 'throw new Error("no")', 'E_PLUGIN_IMPORT'],
  ['that exports nothing', 'export default {}', 'E_PLUGIN_SHAPE'],
  [
    'that needs more than it says',
    'export const plugin = { needs: { x: { kind: "token", id: "core.exec" } }, activate() {} }',
    'E_PLUGIN_NEEDS',
  ],
]

for (const [what, text, code] of entries) {
  test(`an entry ${what} is refused with a code`, async (t) => {
    await withPlugins(
      { 'package.json': '{"type":"module"}', 'index.js': text },
      async (directory) => {
        const loading = loadPlugin({ manifest: good, directory, trust: { kind: 'builtin' } })
        const error = await t.throwsAsync(loading, { instanceOf: HoldfastError })
        t.is(error.code, code)
      },
    )
  })
}
