/** Packages: what an installation makes of an archive, and what an upgrade leaves to the operator. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { TrustedKeys } from '../trust/keyring.js'
import { newKeyPair, signatureOf } from '../trust/signature.js'
import { makeArchive } from './archive.js'
import { assemble } from './assemble.js'
import { listOf } from './listing.js'
import { mergeFiles, mergeValues } from './merge.js'
import { fileOf, makePackage } from './package.js'
import { Packages, viewOf } from './packages.js'
import { withMacros } from './parameters.js'
import { type Files, manifest, packageOf, parameters, refusal, shop, xml } from './shop.fixture.js'

async function directoryOf(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-packages-'))
  t.teardown(() => rm(directory, { recursive: true }))
  return directory
}

async function written(directory: string, files: Files): Promise<string> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true })
    const mode = path.includes('bin/') || path.includes('lib/') ? 0o755 : 0o644
    await writeFile(join(directory, path), text, { mode })
  }
  return directory
}

async function packagesOf(t: ExecutionContext): Promise<{ packages: Packages; keys: TrustedKeys }> {
  const keys = new TrustedKeys({ etc: await directoryOf(t) })
  const packages = new Packages({ keys, plugins: () => [], examine: () => [] })
  return { packages, keys }
}

test('a refused archive leaves nothing behind, and a lie about the signer is no note but an error', async (t) => {
  const { packages, keys } = await packagesOf(t)
  const directory = await directoryOf(t)
  const acme = newKeyPair()
  const sign = (text: string) => (): string => text
  const path = join(directory, 'shop.safe')
  const loaded = async (signature: string): Promise<readonly string[]> => {
    await writeFile(path, await makeArchive(packageOf(shop), sign(signature)))
    return (await packages.load({ path })).notes
  }
  const list = Buffer.from(listOf(packageOf(shop).files))
  const real = signatureOf('module', list, acme.privatePem)
  t.regex((await loaded(real))[0] ?? '', /which this node does not trust/)
  await keys.add('acme', acme.publicPem)
  t.deepEqual(await loaded(real), [])
  t.is((await packages.inspect(path)).signedBy, 'acme')
  const other = signatureOf('module', Buffer.from('other'), acme.privatePem)
  t.is((await refusal(loaded(other))).code, 'E_PACKAGE_SIGNATURE')
  t.is((await refusal(loaded('nonsense'))).code, 'E_TRUST_SIGNATURE')
  t.deepEqual(await readdir(directory), ['shop.safe'])
})

test('parameters are validated by the schema, put into the configuration, and what is still missing is told', async (t) => {
  const { packages } = await packagesOf(t)
  const path = await written(await directoryOf(t), { ...shop, 'conf/userconfig.xml': xml('') })
  const loaded = await packages.load({ path })
  t.deepEqual(loaded.notes, ['still to be given before it is configured: PORT'])
  const given = await packages.load({ path, parameters: { PORT: '81', NAME: 'a"<&\n' } })
  t.deepEqual(given.notes, [])
  t.true(
    fileOf(given.sources, 'conf/userconfig.xml')?.includes(
      '<macro name="PORT" value="81"/>\n  <macro name=\'NAME\' value="a&quot;&lt;&amp;&#10;"/>',
    ),
  )
  const wrong = await refusal(
    packages.load({ path, parameters: { PORT: 'x', NAME: 'y'.repeat(11) } }),
  )
  t.is(wrong.code, 'E_PARAMETER')
  t.regex(wrong.message, /the parameter PORT is "x": must be integer \(TCP port\); .*NAME/)
  const unknown = await refusal(packages.load({ path, parameters: { PROT: '1' } }))
  t.regex(unknown.message, /no parameter PROT \(did you mean PORT\?\); allowed: NAME, PORT/)
})

test('a value that is set changes nothing else of the text', (t) => {
  const text =
    '<safe>\n<!-- é --><macro  name="A"\n\tvalue = \'1\' /><macro value="2" name="B"/></safe>'
  const changed = withMacros(
    text,
    new Map([
      ['B', 'new'],
      ['A', ''],
    ]),
    'f',
  )
  t.is(
    changed,
    '<safe>\n<!-- é --><macro  name="A"\n\tvalue="" /><macro value="new" name="B"/></safe>',
  )
})

test('module.json is refused with all its mistakes, and what it needs is checked', async (t) => {
  const { packages } = await packagesOf(t)
  const bad = {
    ...shop,
    'module.json': manifest({ version: 'new', colour: 1, requires: { a: 'x y' } }),
  }
  const error = await refusal(packages.load({ path: await written(await directoryOf(t), bad) }))
  t.is(error.code, 'E_PACKAGE_MANIFEST')
  t.regex(error.message, /"colour" is not known here/)
  const needs = {
    ...shop,
    'module.json': manifest({ platforms: ['win32'], requires: { 'checker-tcp': '^1.0.0' } }),
  }
  const refused = await refusal(packages.load({ path: await written(await directoryOf(t), needs) }))
  t.is(refused.code, 'E_PACKAGE_REQUIRES')
  t.regex(
    refused.message,
    /made for win32.*needs the plugin checker-tcp \^1.0.0: it is not installed/,
  )
})

test('whoever brings the plugins later hears first of everything else that is wrong', async (t) => {
  const { packages } = await packagesOf(t)
  const needs = { ...shop, 'module.json': manifest({ parameters, requires: { redis: '^1.0.0' } }) }
  const path = await written(await directoryOf(t), needs)
  t.is((await refusal(packages.load({ path }))).code, 'E_PACKAGE_REQUIRES')
  const { sources } = await packages.load({ path }, 'later')
  const wrong = { path, parameters: { PORT: 'x' } }
  t.is((await refusal(packages.load(wrong, 'later'))).code, 'E_PARAMETER')
  t.is((await refusal(packages.merge(sources, wrong, 'later'))).code, 'E_PARAMETER')
  t.is((await refusal(packages.merge(sources, { path }))).code, 'E_PACKAGE_REQUIRES')
  t.is((await packages.merge(sources, { path }, 'later')).report.to, '1.0.0')
})

test('a configuration that is no XML is refused with file, line and column before it is anybody’s', async (t) => {
  const { packages } = await packagesOf(t)
  const bad = { ...shop, 'conf/userconfig.xml': '<safe>\n  <service mode="mirror">\n</safe>\n' }
  const path = await written(await directoryOf(t), bad)
  const refused = await refusal(packages.load({ path }))
  t.is(refused.code, 'E_XML_SYNTAX')
  t.true(refused.message.startsWith(`${path}/conf/userconfig.xml:3:`), refused.message)
  const good = await packages.load({ path: await written(await directoryOf(t), shop) })
  const upgrade = packages.merge(good.sources, { path, from: 'acme/shop@2.0.0' })
  t.regex((await refusal(upgrade)).message, /^acme\/shop@2.0.0\/conf\/userconfig.xml:3:/)
})

test('files that modules share are packed into each of them, and a missing one is told', async (t) => {
  const root = await directoryOf(t)
  await written(root, {
    'lib/common.sh': '#!/bin/sh\n',
    'shop/module.json': manifest({ shared: ['common.sh'] }),
    'shop/conf/userconfig.xml': xml('80'),
    'bad/module.json': manifest({ shared: ['other.sh'] }),
    'bad/conf/userconfig.xml': xml('80'),
  })
  const sources = await assemble(join(root, 'shop'))
  const shared = sources.files.find(({ path }) => path === 'bin/common.sh')
  t.is(shared?.isExecutable, true)
  t.regex((await refusal(assemble(join(root, 'bad')))).message, /shares other.sh, but there is no/)
})

test('of three versions: what one side changed is taken, what both changed stays the operator’s', (t) => {
  const of = (text: string): Map<string, string> =>
    new Map(
      text
        .split(' ')
        .filter((pair) => pair !== '')
        .map((pair) => [pair.slice(0, 1), pair.slice(1)]),
    )
  const steps = mergeFiles(of('a1 b1 c1 d1 e1 f1'), of('a1 b2 c2 e1 g2 f2'), of('a2 b1 c3 d1 h3'))
  t.deepEqual(
    steps.map(({ kind, path }) => `${kind} ${path}`),
    ['take a', 'keep b', 'conflict c', 'keep d', 'remove e', 'conflict f', 'keep g', 'take h'],
  )
  const values = mergeValues(of('a1 b1 c1'), of('a1 b2 c1 x9'), of('a5 b5 c1 d7'))
  t.deepEqual(
    values.map(({ name, value, isNewDefault }) => `${name}${value}${isNewDefault ? ' new' : ''}`),
    ['a5 new', 'b2', 'c1', 'd7'],
  )
})

test('an upgrade keeps the values and scripts of the operator, takes the rest, and tells both', async (t) => {
  const { packages } = await packagesOf(t)
  const first = { ...shop, 'bin/stop_prim': 'v1', 'bin/check': 'v1', 'bin/old': 'v1' }
  const second = {
    ...shop,
    'module.json': manifest({ version: '2.0.0', parameters }),
    'conf/userconfig.xml': xml('81', 'b', '\n  <!-- new in 2 -->'),
    'bin/stop_prim': 'v2',
    'bin/check': 'v2',
  }
  const one = await written(await directoryOf(t), first)
  const two = await written(await directoryOf(t), second)
  const installed = (await packages.load({ path: one, parameters: { PORT: '8080' } })).sources
  t.deepEqual(viewOf(installed, 'shop').changed, [])
  const ours = makePackage(
    installed.files.map((file) =>
      file.path === 'bin/stop_prim' ? { ...file, data: Buffer.from('mine') } : file,
    ),
    'ours',
  )
  t.deepEqual(viewOf(ours, 'shop').changed, ['bin/stop_prim'])
  const { sources, offered, report } = await packages.merge(ours, { path: two })
  t.deepEqual([report.from, report.to], ['1.0.0', '2.0.0'])
  t.deepEqual(report.conflicts, ['bin/stop_prim'])
  t.deepEqual(report.taken, ['bin/check', 'bin/old', 'conf/userconfig.xml', 'module.json'])
  t.deepEqual(report.notes, ['NAME: the new default "b" replaces "a"'])
  t.is(fileOf(sources, 'bin/stop_prim'), 'mine')
  t.is(fileOf(sources, 'bin/check'), 'v2')
  t.is(fileOf(sources, 'bin/old'), undefined)
  t.regex(fileOf(sources, 'conf/userconfig.xml') ?? '', /"PORT" value="8080"[^]*new in 2/)
  t.is(fileOf(offered ?? sources, 'bin/stop_prim'), 'v2')
  // The next upgrade compares with version 2: the operator's script is still his.
  t.deepEqual(viewOf(sources, 'shop').changed, ['bin/stop_prim'])
  const other = await written(await directoryOf(t), {
    ...shop,
    'module.json': manifest({ id: 'bar' }),
  })
  t.is((await refusal(packages.merge(sources, { path: other }))).code, 'E_PACKAGE_OTHER')
})

test('a configuration that the operator rewrote is not touched by an upgrade', async (t) => {
  const { packages } = await packagesOf(t)
  const one = await written(await directoryOf(t), shop)
  const installed = (await packages.load({ path: one })).sources
  const mine = xml('80', 'a', '\n  <!-- mine -->')
  const ours = makePackage(
    installed.files.map((file) =>
      file.path === 'conf/userconfig.xml' ? { ...file, data: Buffer.from(mine) } : file,
    ),
    'ours',
  )
  const two = await written(await directoryOf(t), {
    ...shop,
    'conf/userconfig.xml': xml('81', 'a', '\n<!-- theirs -->'),
  })
  const { sources, report } = await packages.merge(ours, { path: two })
  t.deepEqual(report.conflicts, ['conf/userconfig.xml'])
  t.is(fileOf(sources, 'conf/userconfig.xml'), mine)
})
