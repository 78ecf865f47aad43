/** A registry behind a real web server: a module is installed with the plugins that it requires, also where no web is. */
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { newKeyPair } from '@holdfast/core'
import { type Host, ledger, textOf, until, virtualIp } from '@holdfast/lab'
import test from 'ava'
import { flagPlugin } from './flag-plugin.js'
import { onPair, Pair, patienceMs } from './given.js'

const delivered = fileURLToPath(new URL('../../../modules-registry/', import.meta.url))
const port = 8_800

/** Tells each request with the address that asked. */
const server = `
  const { createReadStream } = require('node:fs')
  const { basename, join } = require('node:path')
  require('node:http').createServer((request, response) => {
    console.log(request.socket.remoteAddress + ' ' + request.url)
    createReadStream(join(process.argv[1], basename(request.url)))
      .on('error', () => response.writeHead(404).end()).pipe(response)
  }).listen(${String(port)}, '0.0.0.0', () => console.log('serves'))`

async function serve(host: Host, directory: string): Promise<string> {
  await host.start([process.execPath, '-e', server, directory], { log: 'web' })
  await until(
    'the web server serves',
    async () => ((await textOf(host.logFile('web'))).includes('serves') ? true : undefined),
    { timeoutMs: patienceMs, everyMs: 50 },
  )
  return `http://${host.cables[0]?.ipv4 ?? ''}:${String(port)}/`
}

/** The ledger with the checker of somebody else in it. Returns its sources. */
async function flagged(directory: string): Promise<string> {
  const sources = join(directory, 'flagged')
  await cp(join(delivered, 'ledger'), sources, { recursive: true })
  await cp(join(delivered, 'lib'), join(directory, 'lib'), { recursive: true })
  const edit = async (file: string, from: string, to: string): Promise<void> => {
    const text = await readFile(join(sources, file), 'utf8')
    await writeFile(join(sources, file), text.replace(from, to))
  }
  await edit('module.json', '"id": "ledger"', '"id": "flagged"')
  await edit('module.json', '"requires": {', '"requires": { "checker-flag": "^1.0.0",')
  const element = '<check><flag ident="a"/></check></service>'
  await edit('conf/userconfig.xml', '</service>', element)
  return sources
}

test('a module of a web server brings the plugins that it requires, and the other node has them from the first', async (t) => {
  const lab = await Pair.lab({})
  const { directory } = lab.host('n1')
  const file = (path: string): string => join(directory, path)
  const { publicPem, privatePem } = newKeyPair()
  await writeFile(file('acme.key'), privatePem)
  await writeFile(file('acme.pub'), publicPem)
  const sources = await flagged(directory)
  const archives = [
    await flagPlugin(directory, '1.0.0', file('acme.key')),
    await flagPlugin(directory, '2.0.0', file('acme.key')),
  ]
  await mkdir(file('www'))
  await onPair(t, lab, { module: false }, async ({ n1, n2 }) => {
    const signing = ['--key', file('acme.key')]
    const publish = (archive: string): Promise<string> =>
      n1.mustRun([
        'registry',
        'publish',
        archive,
        '--to',
        file('www'),
        '--name',
        'acme',
        ...signing,
      ])
    await n1.mustRun(['module', 'package', sources, '-o', file('flagged.safe')])
    for (const archive of [...archives, file('flagged.safe')]) await publish(archive)
    const address = await serve(lab.host('c1'), file('www'))
    await n1.mustRun(['trust', 'add', 'acme', file('acme.pub')])
    await n1.mustRun(['registry', 'add', 'acme', address])
    t.regex(await n1.mustRun(['registry', 'search', 'flag']), /plugin +checker-flag +2\.0\.0 +acme/)
    t.regex(await n1.mustRun(['registry', 'show', 'checker-flag']), /1\.0\.0.*fs\.read:\/run\/flag/)

    // Nobody allowed anything: nothing is installed.
    const parameters = ['ISOLATION=alone', `VIRTUAL_IP=${virtualIp}`]
    const install = ['module', 'install', 'flagged', ...parameters.flatMap((p) => ['--param', p])]
    const unasked = await n1.run(install)
    t.regex(
      unasked.stdout,
      /checker-flag 1\.0\.0 {2}signed by acme\n.*\n {2}may +fs\.read:\/run\/flag/,
    )
    t.regex(unasked.stderr, /nobody is there to allow/)
    t.notRegex(await n1.mustRun(['plugin', 'list']), /checker-flag/)
    // The other node decides for itself whom it trusts.
    const { stdout, stderr } = await n1.run([...install, '--yes'])
    t.regex(
      stdout,
      /n1 {2}plugin checker-flag 1\.0\.0: installed\nn2 {2}failed .*E_PLUGIN_UNTRUSTED/,
    )
    t.regex(stderr, /nobody signed the archive itself: the index of acme, signed by acme, answers/)
    await n2.mustRun(['trust', 'add', 'acme', file('acme.pub')])
    await n2.mustRun(['plugin', 'install', 'checker-flag@^1.0.0', '--yes'])

    for (const { host } of [n1, n2]) {
      await host.mustRun(['mkdir', '-p', ledger.directory, '/srv/evidence'])
      await host.mustRun(['touch', '/run/flag'])
    }
    // A newer version than the module allows makes no difference.
    await n1.mustRun(['plugin', 'install', 'checker-flag', '--yes', '-H', '*'])
    await n1.mustRun(['module', 'config', 'flagged'])
    await n1.mustRun(['prim', '-m', 'flagged'])
    await until(
      'the checker looks',
      async () => {
        const list = await n1.mustRun(['resource', 'list', '-m', 'flagged'])
        return /flag\.a = up.*it is there \(1\.0\.0\)/.test(list) ? true : undefined
      },
      { timeoutMs: patienceMs, everyMs: 200 },
    )
    const asked = await readFile(lab.host('c1').logFile('web'), 'utf8')
    const askers = new Set(asked.match(/^[\d.]+(?= \/)/gm))
    t.deepEqual([...askers], [n1.host.cables[0]?.ipv4])

    await n1.mustRun(['registry', 'mirror', 'acme', file('copy')])
    await n1.mustRun(['registry', 'add', 'copy', file('copy')])
    t.regex(await n1.mustRun(['registry', 'list']), /copy +1 +1 +acme/)
  })
})

test('what a module requires and nobody has is said at once, and an archive that was changed on the way is not kept', async (t) => {
  const lab = await Pair.lab({})
  const { directory } = lab.host('n1')
  const file = (path: string): string => join(directory, path)
  const { publicPem, privatePem } = newKeyPair()
  await writeFile(file('acme.key'), privatePem)
  await writeFile(file('acme.pub'), publicPem)
  const sources = await flagged(directory)
  const archive = await flagPlugin(directory, '2.0.0', file('acme.key'))
  await onPair(t, lab, { module: false }, async ({ n1 }) => {
    const publish = ['registry', 'publish', archive, '--to', file('www'), '--key', file('acme.key')]
    await n1.mustRun(publish)
    const address = await serve(lab.host('c1'), file('www'))
    await n1.mustRun(['trust', 'add', 'acme', file('acme.pub')])
    await n1.mustRun(['registry', 'add', 'acme', address])
    const manifest = join(sources, 'module.json')
    const text = await readFile(manifest, 'utf8')
    await writeFile(manifest, text.replace('"vip": "^0.1.0"', '"vip": "^7.0.0", "gone": "*"'))
    const { stderr } = await n1.run(['module', 'install', 'flagged', sources, '--yes'])
    t.regex(
      stderr,
      /plugin checker-flag \(flagged 1\.0\.0 requires \^1\.0\.0\): there are 2\.0\.0 \(acme\)/,
    )
    t.regex(stderr, /plugin vip .*there are 0\.1\.0 \(a part of Holdfast\).*plugin gone .*none of/)
    t.deepEqual(JSON.parse(await n1.mustRun(['module', 'list', '--json'])), [])

    const served = file('www/checker-flag-2.0.0.hfp')
    const bytes = await readFile(served)
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
    await writeFile(served, bytes)
    const changed = await n1.run(['plugin', 'install', 'checker-flag', '--yes'])
    t.regex(changed.stderr, /not the one of the index: its SHA-256 is/)
    t.notRegex(await n1.mustRun(['plugin', 'list']), /checker-flag/)
  })
})
