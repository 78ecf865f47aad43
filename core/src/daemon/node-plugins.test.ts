/** Plugins of the node while the daemon runs: what is installed and enabled becomes active at once, or says why not. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HoldfastError, log as logToken } from '@holdfast/sdk'
import test from 'ava'
import { directoriesFrom } from '../files/directories.js'
import { discoverPlugins } from '../kernel/discover.js'
import { loadTrusted } from '../kernel/load-trusted.js'
import { EventLog } from '../log/event-log.js'
import { PluginCatalog } from '../plugins/catalog.js'
import { PluginService } from '../plugins/service.js'
import { PluginStore } from '../plugins/store.js'
import { systemClock } from '../scheduling/clock.js'
import { TrustedKeys } from '../trust/keyring.js'
import { NodePlugins } from './node-plugins.js'

const base = {
  version: '1.0.0',
  engines: { holdfast: '^0.1.0' },
  entry: 'index.mjs',
  scope: 'node',
  platforms: ['linux'],
  provides: [],
  contributes: [],
  requires: {},
  conflicts: [],
  capabilities: [],
  config: { type: 'object', additionalProperties: false, properties: {} },
  startTimeoutMs: 1_000,
  stopTimeoutMs: 1_000,
}

/** Logs when it begins and ends. `needs` beside the log: names of tokens and points. */
function plugin(
  id: string,
  needs: object,
  more: object,
  act = '',
): Readonly<Record<string, string>> {
  const all = { log: { kind: 'token', id: 'core.log' }, ...needs }
  const ids = Object.values(all).map((need: { readonly id: string }) => need.id)
  return {
    [`${id}/plugin.json`]: JSON.stringify({ ...base, id, needs: ids, ...more }),
    [`${id}/index.mjs`]: `export const plugin = { needs: ${JSON.stringify(all)}, activate({ log }, config, scope) {
      log.write('info', 'begins', { id: '${id}' })
      scope.onStop(() => log.write('info', 'ends', { id: '${id}' }))
      ${act}
    } }`,
  }
}

const speech = { kind: 'token', id: 'data.speech' }
const routes = { kind: 'point', id: 'point.route' }
const files = {
  ...plugin('alone', {}, {}),
  ...plugin('broken', {}, {}, "throw new Error('no')"),
  ...plugin('door', { routes }, {}),
  ...plugin(
    'guide',
    {},
    { contributes: [routes.id] },
    `scope.contribute(${JSON.stringify(routes)}, 'g', {})`,
  ),
  ...plugin('hearer', { speech }, {}),
  ...plugin(
    'speaker',
    {},
    { provides: [speech.id] },
    `scope.provide(${JSON.stringify(speech)}, {})`,
  ),
}

interface Node {
  readonly plugins: PluginService
  readonly active: () => readonly string[]
  /** What happened since the last question: `+id`, `-id`. */
  readonly happened: () => readonly string[]
  readonly until: (events: number) => Promise<void>
}

async function onNode(act: (node: Node) => Promise<void>): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'holdfast-node-plugins-'))
  const directories = directoriesFrom({ HOLDFAST_ROOT: root })
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(root, 'plugins', path, '..'), { recursive: true })
    await writeFile(join(root, 'plugins', path), text)
  }
  const log = new EventLog({ directory: join(root, 'log'), clock: systemClock, print: undefined })
  const keys = new TrustedKeys(directories)
  const store = new PluginStore(join(directories.lib, 'plugins'), keys, '0.1.0')
  const catalog = new PluginCatalog(await discoverPlugins([join(root, 'plugins')], '0.1.0'), store)
  await catalog.refresh()
  const nodePlugins = new NodePlugins({
    ...{ directories, clock: systemClock, log, plugins: catalog, load: loadTrusted },
    core: { forNode: (id) => new Map<string, unknown>([[logToken.id, log.for(undefined, id)]]) },
    control: {} as never, // No plugin here asks for it.
  })
  const service = new PluginService({
    ...{ catalog, store, version: '0.1.0', node: () => nodePlugins },
    modules: () => [],
    note: () => undefined,
  })
  const events = (): readonly string[] =>
    log
      .read({ limit: 1_000, verbose: true })
      .filter(({ event }) => event === 'begins' || event === 'ends')
      .map(({ event, fields }) => `${event === 'begins' ? '+' : '-'}${String(fields['id'])}`)
  let seen = 0
  try {
    await nodePlugins.refresh()
    await act({
      plugins: service,
      active: () =>
        nodePlugins.activity().flatMap((one) => (one.state === 'active' ? [one.id] : [])),
      happened: () => {
        const all = events().slice(seen)
        seen += all.length
        return all
      },
      until: async (count) => {
        while (events().length < seen + count) await new Promise((go) => setTimeout(go, 10))
      },
    })
  } finally {
    await nodePlugins.stop()
    await rm(root, { recursive: true })
  }
}

async function refusal(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'it was not refused'
  } catch (thrown) {
    if (thrown instanceof HoldfastError) return thrown.message
    throw thrown
  }
}

test('a plugin is disabled and enabled at once, and the others go on', async (t) => {
  await onNode(async ({ plugins, active, happened }) => {
    t.deepEqual([...active()].sort(), ['alone', 'door', 'guide', 'hearer', 'speaker'])
    happened()
    await plugins.setEnabled('alone', false)
    // What failed before is tried again; nobody else was touched.
    t.deepEqual(happened(), ['-alone', '+broken', '-broken'])
    t.false(active().includes('alone'))
    await plugins.setEnabled('alone', true)
    t.true(active().includes('alone'))
    t.true(happened().includes('+alone'))
  })
})

test('what another one needs, and the door of the operators, are refused with the reason', async (t) => {
  await onNode(async ({ plugins, active }) => {
    t.regex(
      await refusal(plugins.setEnabled('speaker', false)),
      /^plugin hearer needs speaker: token data\.speech/,
    )
    t.regex(await refusal(plugins.setEnabled('door', false)), /takes the orders of operators/)
    t.true(active().includes('speaker') && active().includes('door'))
  })
})

test('a change that restarts another plugin comes after the answer', async (t) => {
  await onNode(async ({ plugins, active, happened, until }) => {
    happened()
    await plugins.setEnabled('guide', false)
    // Whoever answers this order may be the one that is restarted.
    t.deepEqual(happened(), [])
    await until(3)
    while (!active().includes('door')) await new Promise((go) => setTimeout(go, 10))
    const events = happened()
    t.true(events.indexOf('-door') < events.lastIndexOf('+door'))
    t.true(events.includes('-guide') && !events.includes('-alone'))
  })
})
