/** Bad input: each gets one clear error that says what and where, and changes nothing. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { clusterXml, ledger, until } from '@holdfast/lab'
import { withPair } from './given.js'
import { facts, refuses, wipe } from './refusal.js'

const megabyte = 1024 * 1024

interface BadConfig {
  readonly name: string
  readonly edit: (xml: string) => string
  /** What the error must name. */
  readonly says: RegExp
}

const replaced =
  (from: string | RegExp, to: string) =>
  (xml: string): string =>
    xml.replace(from, to)

const place = /userconfig\.xml:\d+:\d+/

const badConfigs: readonly BadConfig[] = [
  { name: 'cut off in the middle', edit: (xml) => xml.slice(0, xml.length / 2), says: place },
  { name: 'empty', edit: () => '', says: /userconfig\.xml/ },
  {
    name: 'a document type with entities',
    edit: (xml) => `<!DOCTYPE safe [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>\n${xml}`,
    says: place,
  },
  {
    name: 'an undefined entity',
    edit: replaced(/<rfs[^>]*>/, '$&&passwd;'),
    says: place,
  },
  {
    name: '100 MB of spaces',
    edit: (xml) => xml.replace(/<rfs[^>]*>/, (tag) => tag + ' '.repeat(100 * megabyte)),
    says: /userconfig\.xml|too (large|big|long)|larger than/i,
  },
  {
    name: '100,000 nested elements',
    edit: (xml) => xml.replace(/<rfs[^>]*>/, (tag) => tag + '<a>'.repeat(100_000)),
    says: /userconfig\.xml/,
  },
  {
    name: 'an unknown attribute',
    edit: replaced('<rfs ', '<rfs colour="blue" '),
    says: /userconfig\.xml:\d+:\d+.*colour/s,
  },
  {
    name: 'an unknown element',
    edit: replaced('<rfs', '<teapot/><rfs'),
    says: /userconfig\.xml:\d+:\d+.*teapot/s,
  },
  {
    name: 'an unknown mode',
    edit: replaced('mode="mirror"', 'mode="mirage"'),
    says: /userconfig\.xml:\d+:\d+.*(mirage|mirror)/s,
  },
  {
    name: 'no mode',
    edit: replaced('<service mode="mirror"', '<service'),
    says: /userconfig\.xml:\d+:\d+.*mode/s,
  },
  {
    name: 'a macro that nobody defined',
    edit: replaced('dir="%DIRECTORY%"', 'dir="%DIRECTROY%"'),
    says: /userconfig\.xml:\d+:\d+.*DIRECTROY/s,
  },
  {
    name: 'a time-out that is no duration',
    edit: replaced('timeout="%HEART_TIMEOUT%"', 'timeout="soon"'),
    says: /userconfig\.xml:\d+:\d+.*soon/s,
  },
  {
    name: 'a time-out that rounds to nothing',
    edit: replaced('timeout="%HEART_TIMEOUT%"', 'timeout="1us"'),
    says: /userconfig\.xml:\d+:\d+/,
  },
  {
    name: 'a replicated directory that does not exist',
    edit: replaced('dir="%DIRECTORY%"', 'dir="/srv/nowhere"'),
    says: /userconfig\.xml:\d+:\d+.*\/srv\/nowhere/s,
  },
  {
    name: 'a relative replicated directory',
    edit: replaced('dir="%DIRECTORY%"', 'dir="srv/ledger"'),
    says: /userconfig\.xml:\d+:\d+.*srv\/ledger/s,
  },
  {
    name: 'a replicated directory inside another',
    edit: replaced(
      '<replicated dir="%DIRECTORY%"/>',
      '<replicated dir="/srv"/><replicated dir="%DIRECTORY%"/>',
    ),
    says: /userconfig\.xml:\d+:\d+.*\/srv/s,
  },
  {
    name: 'a replicated directory that is a file',
    edit: replaced('dir="%DIRECTORY%"', 'dir="/srv/file"'),
    says: /userconfig\.xml:\d+:\d+.*\/srv\/file/s,
  },
  {
    name: 'a replicated directory on a read-only file system',
    edit: replaced('dir="%DIRECTORY%"', 'dir="/srv/readonly"'),
    says: /userconfig\.xml:\d+:\d+.*\/srv\/readonly/s,
  },
  {
    name: 'the root directory as replicated directory',
    edit: replaced('dir="%DIRECTORY%"', 'dir="/"'),
    says: /userconfig\.xml:\d+:\d+/,
  },
  {
    name: 'a virtual IP in no subnet of the node',
    edit: replaced('addr="%VIRTUAL_IP%"', 'addr="192.0.2.7"'),
    says: /userconfig\.xml:\d+:\d+.*192\.0\.2\.7/s,
  },
  {
    name: 'a virtual IP that is no address',
    edit: replaced('addr="%VIRTUAL_IP%"', 'addr="10.77.0.999"'),
    says: /userconfig\.xml:\d+:\d+.*10\.77\.0\.999/s,
  },
  {
    name: 'a virtual IP that is the address of a node',
    edit: replaced('addr="%VIRTUAL_IP%"', 'addr="10.77.0.11"'),
    says: /userconfig\.xml:\d+:\d+.*10\.77\.0\.11/s,
  },
  {
    name: 'the same virtual IP twice',
    edit: replaced(
      /(<virtual_addr[^>]*\/>)/,
      '$1<virtual_addr addr="%VIRTUAL_IP%" where="one_side_alias"/>',
    ),
    says: /userconfig\.xml:\d+:\d+.*10\.77\.0\.200/s,
  },
]

test('a bad userconfig.xml is refused with its place, and nothing changes on any node', async (t) => {
  await withPair(t, {}, async (pair) => {
    await pair.n1.host.mustRun([
      'sh',
      '-c',
      'touch /srv/file; mkdir /srv/readonly; mount -t tmpfs -o ro tmpfs /srv/readonly',
    ])
    const file = join(pair.n1.host.disk, 'etc-holdfast/modules/ledger/conf/userconfig.xml')
    const good = await readFile(file, 'utf8')
    const before = await facts(pair)
    for (const bad of badConfigs) {
      const xml = bad.edit(good)
      t.not(xml, good, `${bad.name}: the edit changed nothing`)
      await writeFile(file, xml)
      await refuses(t, bad.name, pair.n1, ['module', 'config', ledger.name], bad.says)
      t.deepEqual(await facts(pair), before, `${bad.name}: something changed`)
    }
    await writeFile(file, good)
    await pair.n1.mustRun(['module', 'config', ledger.name])
  })
})

test('bad scripts and directories of another node are refused by that node', async (t) => {
  await withPair(t, {}, async (pair) => {
    const sources = join(pair.n1.host.disk, 'etc-holdfast/modules/ledger')
    const script = join(sources, 'bin/start_prim')
    const good = await readFile(script, 'utf8')
    const config = ['module', 'config', ledger.name]
    const before = await facts(pair)

    await pair.n1.host.mustRun(['chmod', '-x', '/etc/holdfast/modules/ledger/bin/start_prim'])
    await refuses(t, 'not executable', pair.n1, config, /start_prim/)
    await pair.n1.host.mustRun(['chmod', '+x', '/etc/holdfast/modules/ledger/bin/start_prim'])

    await writeFile(script, good.replace('#!/bin/sh', '#!/bin/nowhere'))
    await refuses(t, 'no such interpreter', pair.n1, config, /start_prim.*\/bin\/nowhere/s)
    await writeFile(script, good)

    await pair.n2.host.mustRun(['rmdir', ledger.directory])
    await refuses(t, 'missing on n2', pair.n1, config, /n2.*\/srv\/ledger|\/srv\/ledger.*n2/s)
    await pair.n2.host.mustRun(['mkdir', ledger.directory])

    t.deepEqual(await facts(pair), before)
    await pair.n1.mustRun(config)
  })
})

test('bad tokens, bad cluster files and unknown modules are refused and change nothing', async (t) => {
  await withPair(t, { module: false }, async (pair) => {
    const { n1, n2 } = pair
    const before = await facts(pair)
    const xml = clusterXml(pair.lab.spec)
    const file = join(n1.host.directory, 'bad-cluster.xml')
    const badClusters: readonly (readonly [string, string, RegExp])[] = [
      ['cut off', xml.slice(0, 60), /bad-cluster\.xml:\d+:\d+|cluster\.xml:\d+:\d+/],
      ['one address for two', xml.replace('10.77.0.12', '10.77.0.11'), /10\.77\.0\.11/],
      ['a bad name', xml.replace('name="n2"', 'name="N 2"'), /cluster\.xml:5:\d+.*name/s],
      ['an unknown attribute', xml.replace('<lans>', '<lans colour="blue">'), /colour/],
      ['no LAN', '<cluster><lans></lans></cluster>', /lan/],
      ['a node too few', xml.replace(/ *<node name="n1".*\n/, ''), /n1|at least/],
    ]
    for (const [name, text, says] of badClusters) {
      await writeFile(file, text)
      await refuses(t, name, n1, ['cluster', 'config', file], says)
    }
    await refuses(t, 'init twice', n1, ['cluster', 'init', '--node', 'n1', file], /already/)
    await refuses(t, 'invite a stranger', n1, ['cluster', 'invite', 'n9'], /n9/)
    await refuses(t, 'join twice', n2, ['cluster', 'join', '-'], /./, 'HF1-nonsense\n')
    await refuses(t, 'no such module', n1, ['prim', '-m', 'nosuch'], /nosuch/)
    await refuses(t, 'no such sources', n1, ['module', 'install', 'x', '/srv/none'], /\/srv\/none/)
    await refuses(t, 'a bad name', n1, ['module', 'install', '../x', '/srv'], /name/)
    t.deepEqual(await facts(pair), before)
  })
})

test('a token that is wrong, used, expired or of nobody lets nobody in', async (t) => {
  await withPair(t, { module: false }, async (pair) => {
    const { n1, n2 } = pair
    const token = async (...more: string[]): Promise<string> => {
      const text = await n1.mustRun(['cluster', 'invite', 'n2', ...more])
      return /HF1-[A-Za-z0-9_-]+/.exec(text)?.[0] ?? ''
    }
    await wipe(n2)
    const join2 = ['cluster', 'join', '-']
    const good = await token()
    const other = good.slice(0, -4) + (good.endsWith('AAAA') ? 'BBBB' : 'AAAA')
    await refuses(t, 'no token', n2, join2, /token/i, '\n')
    await refuses(t, 'garbage', n2, join2, /token/i, 'let me in\n')
    await refuses(t, 'wrong', n2, join2, /./, `${other}\n`)
    const short = await token('--ttl', '10s')
    const expiresMs = Date.now() + 10_500
    await until('the token expires', () => (Date.now() > expiresMs ? true : undefined), {
      timeoutMs: 15_000,
      everyMs: 200,
    })
    await refuses(t, 'expired', n2, join2, /expire/i, `${short}\n`)
    const last = await token()
    const joined = await n2.run(join2, { input: `${last}\n` })
    t.is(joined.code, 0, joined.stderr)
    await n2.waitForCluster(2)
    await refuses(t, 'used', n2, join2, /already|used/i, `${last}\n`)
  })
})
