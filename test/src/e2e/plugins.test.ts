/** A plugin as somebody else writes, signs and gives it away, on two real daemons whose module runs all the time. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ledger, until } from '@holdfast/lab'
import { newKeyPair } from '@holdfast/core'
import test from 'ava'
import { flagPlugin } from './flag-plugin.js'
import { onPair, Pair, patienceMs } from './given.js'

const configuration = `/etc/holdfast/modules/${ledger.name}/conf/userconfig.xml`

test('a plugin of somebody else is trusted, installed, used, moved and removed while the application runs', async (t) => {
  const lab = await Pair.lab({})
  const { directory } = lab.host('n1')
  const keyFile = join(directory, 'acme.key')
  const { publicPem, privatePem } = newKeyPair()
  await writeFile(keyFile, privatePem)
  await writeFile(join(directory, 'acme.pub'), publicPem)
  const first = await flagPlugin(directory, '1.0.0', keyFile)
  const second = await flagPlugin(directory, '1.1.0', keyFile)
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
    const element = '<check><flag ident="a"/></check>'
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
