/** A plugin as somebody else writes, signs and gives it away, on two real daemons whose module runs all the time. */
import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ledger, until } from '@holdfast/lab'
import { newPlugin, packPlugin } from '@holdfast/plugin-tools'
import { newKeyPair } from '@holdfast/core'
import test from 'ava'
import { onPair, Pair, patienceMs } from './given.js'

const configuration = `/etc/holdfast/modules/${ledger.name}/conf/userconfig.xml`

/** The tool's own template, with another question: is there a file? Returns the archives of two versions. */
async function flagPlugin(directory: string, keyFile: string): Promise<readonly [string, string]> {
  const project = join(directory, 'checker-flag')
  await newPlugin(project, 'flag')
  const source = join(project, 'src/index.ts')
  const code = await readFile(source, 'utf8')
  const look = code.slice(code.indexOf('async function look'))
  const own = `async function look(): Promise<string> {
    await access('/run/flag')
    return 'it is there (VERSION)'
  }`
  const pack = async (version: string): Promise<string> => {
    const text = code
      .replace(look, own.replace('VERSION', version))
      .replace('look(addr, port, signal)', 'look()')
      .replace(', addr, port, interval', ', interval')
      .replace('(signal) =>', '() =>')
      .replace("import { connect } from 'node:net'", '')
      .replace("{ once } from 'node:events'", "{ access } from 'node:fs/promises'")
    await writeFile(source, text)
    const manifest = join(project, 'plugin.json')
    const json = await readFile(manifest, 'utf8')
    await writeFile(manifest, json.replace(/"version": "[^"]*"/, `"version": "${version}"`))
    await promisify(execFile)(join(project, 'node_modules/.bin/tsc'), [], { cwd: project })
    return await packPlugin(project, { keyFile })
  }
  return [await pack('1.0.0'), await pack('1.1.0')]
}

test('a plugin of somebody else is trusted, installed, used, moved and removed while the application runs', async (t) => {
  const lab = await Pair.lab({})
  const { directory } = lab.host('n1')
  const keyFile = join(directory, 'acme.key')
  const { publicPem, privatePem } = newKeyPair()
  await writeFile(keyFile, privatePem)
  await writeFile(join(directory, 'acme.pub'), publicPem)
  const [first, second] = await flagPlugin(directory, keyFile)
  await onPair(t, lab, {}, async (pair) => {
    const { n1, n2 } = pair
    const everywhere = ['-H', 'n1,n2']
    const shows = (text: RegExp): Promise<true> =>
      until(
        `the resources show ${String(text)}`,
        async () => {
          const list = await n1.mustRun(['resource', 'list', '-m', ledger.name])
          return text.test(list) ? true : undefined
        },
        { timeoutMs: patienceMs, everyMs: 200 },
      )
    const configure = (...words: readonly string[]): Promise<string> =>
      n1.mustRun(['module', 'config', ledger.name, ...words])
    for (const { host } of [n1, n2]) await host.mustRun(['touch', '/run/flag'])
    await pair.serves()

    const refused = await n1.run(['plugin', 'install', first, '--yes'])
    t.regex(refused.stderr, /no key that you trust has signed it/)
    await n1.mustRun(['trust', 'add', 'acme', join(directory, 'acme.pub'), ...everywhere])
    for (const archive of [first, second]) {
      await n1.mustRun(['plugin', 'install', archive, '--yes', ...everywhere])
    }
    const element = '<check><flag ident="a" interval="1s"/></check>'
    await n1.host.mustRun(['sed', '-i', `s|</service>|${element}</service>|`, configuration])
    await configure('--plugin', 'checker-flag@1.0.0')
    await shows(/flag\.a = up.*it is there \(1\.0\.0\)/)
    await configure()
    await shows(/\(1\.0\.0\)/)
    await configure('--plugin', 'checker-flag')
    await shows(/flag\.a = up.*it is there \(1\.1\.0\)/)

    await n1.host.mustRun(['rm', '/run/flag'])
    await pair.is(n1, 'PRIM Transient', 'ALONE Transient')
    await n1.host.mustRun(['touch', '/run/flag'])
    await pair.is(n1, 'PRIM Ready')
    await shows(/flag\.a = up/)

    await configure('--plugin', 'checker-flag@1.0.0')
    await shows(/\(1\.0\.0\)/)
    t.regex(await n1.mustRun(['plugin', 'doctor']), /checker-flag 1\.0\.0 +active/)
    const used = await n1.run(['plugin', 'remove', 'checker-flag@1.0.0'])
    t.regex(used.stderr, /is used by the module/)
    await n1.host.mustRun(['sed', '-i', `s|${element}||`, configuration])
    await configure()
    for (const version of ['1.0.0', '1.1.0']) {
      await n1.mustRun(['plugin', 'remove', `checker-flag@${version}`, ...everywhere])
    }
    t.notRegex(await n2.mustRun(['plugin', 'list']), /checker-flag/)
    await pair.clientsGoOn()
    await pair.promisesHold(t)
  })
})
