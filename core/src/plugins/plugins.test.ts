/** Plugins that are brought to a node: who answers for them, which version a module uses, and those that are processes. */
import { chmod, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PluginArchive } from '@holdfast/sdk'
import test from 'ava'
import { configured, eventsOf, refusal, Rig, type RigNode, userconfig } from '../modules/rig.js'
import { makeArchive, pluginArchive } from '../packages/archive.js'
import { makePackage } from '../packages/package.js'
import { newKeyPair, signatureOf } from '../trust/signature.js'

const element = (properties: object): object => ({
  type: 'object',
  additionalProperties: false,
  properties,
})

interface Written {
  readonly version?: string
  readonly manifest?: object
  readonly code?: string
  readonly sign?: string
}

/** An archive of the plugin `bell`, which owns `<bell>` and logs its version. */
async function archive(written: Written = {}): Promise<PluginArchive> {
  const { version = '1.0.0', manifest, code, sign } = written
  const plugin = {
    id: 'bell',
    version,
    engines: { holdfast: '^0.1.0' },
    entry: 'index.mjs',
    scope: 'module',
    platforms: ['linux'],
    needs: ['core.log'],
    provides: [],
    contributes: [],
    requires: {},
    conflicts: [],
    capabilities: ['net.connect'],
    dynamic: true,
    config: element({ bell: element({ tone: { type: 'string', default: 'a' } }) }),
    startTimeoutMs: 5_000,
    stopTimeoutMs: 2_000,
    ...manifest,
  }
  const ring = `export const plugin = { needs: { log: { kind: 'token', id: 'core.log' } },
    activate({ log }) { log.write('info', 'rang', { version: '${version}' }) } }`
  const file = (path: string, text: string) => ({
    path,
    isExecutable: !path.endsWith('.json'),
    data: Buffer.from(text),
  })
  const files = [file('plugin.json', JSON.stringify(plugin)), file('index.mjs', code ?? ring)]
  const bytes = await makeArchive(
    makePackage(files, 'test', 'plugin.json'),
    sign === undefined ? undefined : (list) => signatureOf('plugin', list, sign),
    pluginArchive,
  )
  return { data: bytes.toString('base64') }
}

const keys = newKeyPair()
const capabilities = ['net.connect']
const signed = (version: string): Promise<PluginArchive> =>
  archive({ version, sign: keys.privatePem })

/** A node that trusts the key, and has these versions. */
async function withBells(node: RigNode, ...versions: readonly string[]): Promise<void> {
  await node.keys.add('acme', keys.publicPem)
  for (const version of versions) {
    await node.plugins.install(await signed(version), capabilities)
  }
}

const bells = userconfig('<service mode="pair"><bell/></service>')
const rang = (node: RigNode): unknown[] =>
  eventsOf(node, 'rang').map((fields) => Object.values(fields as object)[0])

test('code in process needs a signature that is trusted, and capabilities that were seen', async (t) => {
  await Rig.with(['n1'], async (rig) => {
    const { plugins, keys: trusted } = rig.node('n1')
    const archived = await signed('1.0.0')
    t.is((await plugins.inspect(archived)).trust, 'foreign')
    t.is((await refusal(plugins.install(archived, capabilities))).code, 'E_PLUGIN_UNTRUSTED')
    await trusted.add('acme', keys.publicPem)
    const { trust, signedBy } = await plugins.inspect(archived)
    t.deepEqual([trust, signedBy], ['signed', 'acme'])
    const unseen = await refusal(plugins.install(archived, []))
    t.is(unseen.message, 'plugin bell 1.0.0 asks for net.connect')
    await plugins.install(archived, capabilities)
    t.is((await refusal(plugins.install(archived, capabilities))).code, 'E_PLUGIN_EXISTS')
    t.deepEqual(
      plugins
        .list()
        .filter(({ id }) => id === 'bell')
        .map(({ version }) => version),
      ['1.0.0'],
    )
  })
})

test('a module stays on its version until it is told to move, and back', async (t) => {
  await Rig.with(['n1', 'n2'], async (rig) => {
    for (const node of rig.nodes.values()) await withBells(node, '1.0.0')
    const node = await configured(rig, 'app', bells)
    for (const one of rig.nodes.values()) {
      await one.plugins.install(await signed('1.1.0'), capabilities)
    }
    await node.modules.command({ name: 'app', command: 'start', options: {} })
    await node.modules.config({ name: 'app' })
    t.deepEqual(rang(node), ['1.0.0'])
    await node.modules.config({ name: 'app', plugins: { bell: 'newest' } })
    await node.modules.config({ name: 'app', plugins: { bell: '1.0.0' } })
    t.deepEqual(rang(node), ['1.0.0', '1.1.0', '1.0.0'])
    t.deepEqual(rang(rig.node('n2')), ['1.0.0', '1.1.0', '1.0.0'])
    const stray = await refusal(node.modules.config({ name: 'app', plugins: { bel: '1.0.0' } }))
    t.regex(`${stray.message}; ${stray.hint ?? ''}`, /uses no plugin bel; it uses bell, pair/)
    await rig.start('n1')
    t.is(rang(rig.node('n1')).at(-1), '1.0.0')
    t.is(rig.node('n1').modules.one('app').state?.role, 'UP')
  })
})

test('the doctor shows plugins that a reconfiguration left as they were', async (t) => {
  await Rig.with(['n1'], async (rig) => {
    const node = rig.node('n1')
    await withBells(node, '1.0.0', '1.1.0')
    await configured(rig, 'app', bells)
    await node.modules.config({ name: 'app', plugins: { bell: '1.0.0' } })
    const { sets, idle } = node.plugins.doctor()
    const plugins = sets.find(({ module }) => module === 'app')?.plugins ?? []
    t.deepEqual(plugins.map(({ id, version, state }) => [id, version, state]).sort(), [
      ['bell', '1.0.0', 'active'],
      ['pair', '1.0.0', 'active'],
    ])
    t.true(plugins.every(({ startedMs }) => startedMs !== undefined))
    t.deepEqual(
      idle.filter(({ id }) => id === 'pair'),
      [],
    )
  })
})

test('a node that lacks the version refuses the configuration for all', async (t) => {
  await Rig.with(['n1', 'n2'], async (rig) => {
    await withBells(rig.node('n1'), '1.0.0', '1.1.0')
    await withBells(rig.node('n2'), '1.0.0')
    const { message } = await refusal(configured(rig, 'app', bells))
    t.regex(
      message,
      /plugin bell can't be used: version 1\.1\.0 is not installed here, only 1\.0\.0.*\(node n2\)/,
    )
    t.is(rig.node('n1').modules.one('app').configured, false)
  })
})

test('what a module uses is neither removed nor disabled; what none uses is', async (t) => {
  await Rig.with(['n1'], async (rig) => {
    const node = rig.node('n1')
    await withBells(node, '1.0.0', '1.1.0')
    await configured(rig, 'app', bells)
    const { plugins } = node
    t.is((await refusal(plugins.remove('bell', '1.1.0'))).code, 'E_PLUGIN_IN_USE')
    t.is((await refusal(plugins.setEnabled('bell', false))).code, 'E_PLUGIN_IN_USE')
    t.is((await refusal(plugins.remove('pair', '1.0.0'))).code, 'E_PLUGIN_BUILTIN')
    await plugins.remove('bell', '1.0.0')
    const file = join(node.directories.etc, 'modules/app/conf/userconfig.xml')
    await node.modules.command({ name: 'app', command: 'start', options: {} })
    await writeFile(file, '<safe><service mode="pair"/></safe>')
    await node.modules.config({ name: 'app' })
    await plugins.remove('bell', '1.1.0')
    await plugins.install(await signed('1.2.0'), capabilities)
    await node.modules.command({ name: 'app', command: 'stop', options: {} })
    await writeFile(file, bells['conf/userconfig.xml'] ?? '')
    await node.modules.deconfig({ name: 'app' })
    await plugins.setEnabled('bell', false)
    const { message } = await refusal(node.modules.config({ name: 'app' }))
    t.regex(message, /is disabled: holdfast plugin enable bell/)
    const report = plugins.doctor()
    t.regex(report.idle.find(({ id }) => id === 'bell')?.reason ?? '', /disabled/)
  })
})

test('a key that is trusted no longer, and a file that was changed, are found at the next start', async (t) => {
  await Rig.with(['n1'], async (rig) => {
    const node = rig.node('n1')
    await withBells(node, '1.0.0', '1.1.0')
    const file = join(node.directories.lib, 'plugins/bell/1.1.0/files/index.mjs')
    await writeFile(file, 'export const plugin = 1')
    await rig.start('n1')
    const failures = (): unknown =>
      rig
        .node('n1')
        .plugins.list()
        .filter(({ id }) => id === 'bell')
        .map(({ version, failure }) => [version, failure?.code])
    t.deepEqual(failures(), [
      ['1.0.0', undefined],
      ['1.1.0', 'E_PACKAGE_INVALID'],
    ])
    await node.keys.remove('acme')
    await rig.start('n1')
    t.deepEqual(failures(), [
      ['1.0.0', 'E_PLUGIN_UNTRUSTED'],
      ['1.1.0', 'E_PACKAGE_INVALID'],
    ])
  })
})

const child = {
  needs: [],
  contributes: ['point.checker'],
  capabilities: [],
  process: true,
}

/** A child that answers `start` with `body`, as a program in any language would. */
const program = (body: string): string => `
  import { createInterface } from 'node:readline'
  const say = (message) => process.stdout.write(JSON.stringify(message) + '\\n')
  for await (const line of createInterface({ input: process.stdin })) {
    const message = JSON.parse(line)
    if (message.kind === 'start') { ${body} }
    if (message.kind === 'watch') say({ kind: 'value', checker: message.checker, value: 'down', cause: 'told so' })
  }`

async function run(rig: Rig, body: string, manifest: object = {}): Promise<RigNode> {
  const node = rig.node('n1')
  // Nobody's process must be able to read its own program.
  await chmod(rig.directory, 0o755)
  const archived = await archive({ manifest: { ...child, ...manifest }, code: program(body) })
  await node.plugins.install(archived, [])
  return await configured(rig, 'app', bells)
}

const ready = `say({ kind: 'ready', protocol: 1, checkers: [{ name: 'bell.x', when: 'prim' }], resources: [] })`

test('a plugin that nobody signed runs as a process of nobody, and its checkers report', async (t) => {
  await Rig.with(['n1'], async (rig) => {
    const node = await run(
      rig,
      `say({ kind: 'log', level: 'info', event: 'uid', fields: { uid: process.getuid(), env: Object.keys(process.env).length, config: message.config } }); ${ready}`,
    )
    t.is(node.modules.one('app').failure, undefined)
    const [fields] = eventsOf(node, 'uid')
    t.deepEqual(fields, { uid: 65_534, env: 2, config: { bell: { tone: 'a' } } })
  })
})

const misbehaviours: readonly [string, string, RegExp][] = [
  [
    'writes nonsense',
    `process.stdout.write('hello\\n')`,
    /plugin bell: it wrote a line that is no message: hello/,
  ],
  ['ends at once', `process.exit(3)`, /plugin bell: it ended with 3/],
  [
    'writes a line without end',
    `process.stdout.write('x'.repeat(100_000))`,
    /a line of more than 64 KiB/,
  ],
  [
    'floods',
    `for (let i = 0; i < 5_000; i++) say({ kind: 'done', call: 1 })`,
    /more than 100 lines a second/,
  ],
  ['never gets ready', ``, /the start of plugin bell did not finish within 1500 ms/],
  [
    'offers what it did not declare',
    ready
      .replace('checkers', 'resources')
      .replace(/, resources: \[\]/, ', checkers: []')
      .replace(`name: 'bell.x', when: 'prim'`, `id: 'bell', order: 5`),
    /contributes to point.resource without saying so/,
  ],
]

for (const [what, body, expected] of misbehaviours) {
  test(`a process that ${what} fails its module with its name, and nothing else`, async (t) => {
    await Rig.with(['n1'], async (rig) => {
      const node = await run(rig, body, { startTimeoutMs: 1_500 })
      t.regex(node.modules.one('app').failure?.reason ?? '', expected)
    })
  })
}

test('a process that takes too much memory is ended', async (t) => {
  await Rig.with(['n1'], async (rig) => {
    const hungry = `globalThis.all = Buffer.alloc(400 * 1024 * 1024, 1)`
    const node = await run(rig, hungry, { startTimeoutMs: 60_000 })
    t.regex(node.modules.one('app').failure?.reason ?? '', /it uses more than 256 MiB/)
  })
})

test('what is left of a half installation does not count, and is removed', async (t) => {
  await Rig.with(['n1'], async (rig) => {
    const node = rig.node('n1')
    await withBells(node, '1.0.0')
    await rm(join(node.directories.lib, 'plugins/bell/1.0.0/files.json'))
    await rig.write('n1/var/lib/holdfast/plugins', { '.staged/files/plugin.json': '{}' })
    await rig.start('n1')
    const [bell] = rig
      .node('n1')
      .plugins.list()
      .filter(({ id }) => id === 'bell')
    t.is(bell?.failure?.code, 'E_PLUGIN_DAMAGED')
  })
})
