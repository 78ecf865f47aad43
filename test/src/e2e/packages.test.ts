/** A published module on a running pair: installed by name, upgraded, taken back, with the real PostgreSQL behind it. */
import { generateKeyPairSync } from 'node:crypto'
import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { evidenceDirectory, lostEntries, postgresql, virtualIp } from '@holdfast/lab'
import test from 'ava'
import { type Pair, withPair } from './given.js'

const delivered = fileURLToPath(new URL('../../../modules-registry/', import.meta.url))
const name = postgresql.name

interface Publisher {
  readonly registry: string
  readonly publicKey: string
  /** Publishes the sources as this version, with a change of one script. */
  publish(version: string, change: (text: string) => string): Promise<void>
}

/** Somebody who sells a module: sources, a key, and a directory that a web server could offer. */
async function publisherOn(pair: Pair): Promise<Publisher> {
  const directory = join(pair.lab.host('n1').directory, 'publisher')
  const file = (path: string): string => join(directory, path)
  await cp(join(delivered, name), file(name), { recursive: true })
  await cp(join(delivered, 'lib'), file('lib'), { recursive: true })
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  await writeFile(file('acme.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
  await writeFile(file('acme.pem'), publicKey.export({ type: 'spki', format: 'pem' }))
  return {
    registry: file('registry'),
    publicKey: file('acme.pem'),
    publish: async (version, change) => {
      const manifest = file(`${name}/module.json`)
      const text = await readFile(manifest, 'utf8')
      await writeFile(manifest, text.replace(/"version": "[^"]*"/, `"version": "${version}"`))
      const script = file(`${name}/bin/stop_prim`)
      await writeFile(script, change(await readFile(script, 'utf8')))
      const archive = file(`${version}.safe`)
      const key = ['--key', file('acme.key')]
      await pair.n1.mustRun(['module', 'package', file(name), '-o', archive, ...key])
      const to = ['--to', file('registry'), '--name', 'acme']
      await pair.n1.mustRun(['registry', 'publish', archive, ...to, ...key])
    },
  }
}

const parameters = {
  DIRECTORY: postgresql.directory,
  VIRTUAL_IP: virtualIp,
  HEART_TIMEOUT: '2000ms',
  ISOLATION: 'alone',
  EVIDENCE: evidenceDirectory,
}
const given = Object.entries(parameters).flatMap(([key, value]) => ['--param', `${key}=${value}`])

test('a module of a registry is installed by name, upgraded and taken back, and its database loses nothing', async (t) => {
  await withPair(t, { module: false, application: postgresql }, async (pair) => {
    const { n1, n2 } = pair
    const publisher = await publisherOn(pair)
    await publisher.publish('1.5.0', (text) => text)
    const untrusted = await n1.run(['registry', 'add', 'acme', publisher.registry])
    t.regex(untrusted.stderr, /no key that this node trusts signed it/)
    await n1.mustRun(['trust', 'add', 'acme', publisher.publicKey])
    await n1.mustRun(['registry', 'add', 'acme', publisher.registry])
    await n1.mustRun(['module', 'install', name, 'postgresql@^1.5.0', ...given])
    for (const { host } of pair.nodes) await host.mustRun(['mkdir', '-p', postgresql.directory])
    await n1.mustRun(['module', 'config', name])
    await pair.serves()

    // The other node knows no registry: it installs what the first one has.
    await n2.mustRun(['module', 'install', 'second', 'postgresql@^1.5.0'])
    const second = JSON.parse(await n2.mustRun(['module', 'info', 'second', '--json']))
    t.is(second.from, 'n1/postgresql@1.5.0')
    await n2.mustRun(['module', 'uninstall', 'second'])

    await n1.host.mustRun([
      'sh',
      '-c',
      `echo '# ours' >>/etc/holdfast/modules/${name}/bin/prestart`,
    ])
    await publisher.publish('1.6.0', (text) => `${text}# theirs\n`)
    await n1.mustRun(['registry', 'update'])
    const upgraded = await n1.mustRun(['module', 'upgrade', name], { timeoutMs: 120_000 })
    t.regex(upgraded, /version 1\.5\.0 → 1\.6\.0\n {2}bin\/stop_prim\n {2}module\.json\n/)
    await pair.is(n2, 'PRIM Ready')
    await pair.is(n1, 'SECOND Ready')
    await pair.clientsGoOn()
    for (const node of pair.nodes) {
      const info = JSON.parse(await node.mustRun(['module', 'info', name, '--json']))
      t.is(info.version, '1.6.0')
      t.deepEqual(info.changed, ['bin/prestart'])
      const address = info.parameters.find((one: { name: string }) => one.name === 'VIRTUAL_IP')
      t.is(address.value, virtualIp)
    }
    await pair.clients.stop()
    const served = await postgresql.entries(pair.lab.host('c1'))
    t.deepEqual(lostEntries(pair.clients.record.all, [served]), [])

    // What is there already takes nothing from the way back.
    t.regex(await n1.mustRun(['module', 'upgrade', name]), /up to date: version 1\.6\.0\n/)
    t.regex(
      await n1.mustRun(['module', 'rollback', name, '--sources']),
      /version 1\.6\.0 → 1\.5\.0/,
    )
    const back = JSON.parse(await n1.mustRun(['module', 'info', name, '--json']))
    t.deepEqual([back.version, back.changed], ['1.5.0', ['bin/prestart']])
  })
})
