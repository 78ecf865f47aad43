/** Failover rules on real daemons: what a rule orders, who serves then, and what the operator is told about it. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { ledger, monotonicMs, type Product, until } from '@holdfast/lab'
import { onPair, Pair, patienceMs, withPair } from './given.js'

/** Adds rules to the module of the pair. */
function rules(text: string, attributes = ''): (xml: string) => string {
  const element = `<failover ${attributes}><![CDATA[\n${text}\n]]></failover>\n  </service>`
  return (xml) => xml.replace('</service>', element)
}

/** What a program that checks something tells. */
async function tell(node: Product, module: string, resource: string, value: string): Promise<void> {
  const cause = `${resource} was seen ${value}`
  const what = ['resource', 'set', resource, value, '--by', 'test', '--cause', cause]
  await node.mustRun([...what, '-m', module])
}

async function explain(node: Product, module: string): Promise<string> {
  return node.mustRun(['failover', 'explain', '-m', module])
}

async function causeOn(node: Product, module: string): Promise<string> {
  return (await node.module(module))?.state?.cause ?? ''
}

/** How often the application was started on a node. */
async function startsOn(pair: Pair, node: Product): Promise<number> {
  return (await pair.runners()).filter((run) => run.node === node.host.name).length
}

test('a rule restarts the application, and the fourth time within a day maxloop stops it and the peer takes over', async (t) => {
  const edit = rules('app: if (custom.app == down) then restart();')
  await withPair(t, { edit }, async (pair) => {
    await pair.serves()
    await tell(pair.n1, ledger.name, 'custom.app', 'up')
    for (let n = 1; n <= 3; n++) {
      await tell(pair.n1, ledger.name, 'custom.app', 'down')
      await pair.is(pair.n1, 'PRIM Transient', 'ALONE Transient')
      await pair.is(pair.n1, 'PRIM Ready')
      await tell(pair.n1, ledger.name, 'custom.app', 'up')
      t.is(await startsOn(pair, pair.n1), 1 + n)
      t.regex(await explain(pair.n1, ledger.name), /app: .*\n.*\n.*custom\.app = up/)
    }
    await tell(pair.n1, ledger.name, 'custom.app', 'down')
    await pair.is(pair.n1, 'STOP NotReady')
    t.regex(
      await causeOn(pair.n1, ledger.name),
      /maxloop.*rule app: custom\.app is down \(custom\.app was seen down\)/,
    )
    await pair.is(pair.n2, 'ALONE Ready')
    await pair.clientsGoOn()
  })
})

test('a rule that waits hands the service to the peer, and ends in the secondary when it is no longer true', async (t) => {
  const edit = rules('network: if (custom.network == down) then wait();')
  await withPair(t, { edit }, async (pair) => {
    await pair.serves()
    await tell(pair.n1, ledger.name, 'custom.network', 'up')
    await tell(pair.n1, ledger.name, 'custom.network', 'down')
    await pair.is(pair.n2, 'ALONE Ready')
    t.regex(await pair.n1.state(ledger.name), /^WAIT/)
    t.regex(await explain(pair.n1, ledger.name), /network: .*\n.*wait\(\) was ordered/)
    await pair.clientsGoOn()
    await tell(pair.n1, ledger.name, 'custom.network', 'up')
    await pair.is(pair.n1, 'SECOND Ready')
    await pair.is(pair.n2, 'PRIM Ready')
    await pair.clientsGoOn()
    await pair.promisesHold(t)
  })
})

test('a rule over the other node is decided by what that node tells', async (t) => {
  const edit = rules('both: if (custom.x == down && remote.custom.x == down) then stop();')
  await withPair(t, { edit }, async (pair) => {
    await pair.serves()
    for (const node of pair.nodes) await tell(node, ledger.name, 'custom.x', 'up')
    await tell(pair.n1, ledger.name, 'custom.x', 'down')
    t.regex(await explain(pair.n1, ledger.name), /both: .*\n.*\n.*remote\.custom\.x = (up|init)/)
    await tell(pair.n2, ledger.name, 'custom.x', 'down')
    await pair.is(pair.n1, 'STOP NotReady')
    await pair.is(pair.n2, 'STOP NotReady')
    t.regex(await causeOn(pair.n2, ledger.name), /remote\.custom\.x is down/)
  })
})

/**
 * A plugin whose checkers misbehave, beside one that looks at a file: `hangs` never answers, `throws` can't begin,
 * `lies` changes its mind twenty times a second, `floods` never stops to report.
 */
async function misbehavingPlugin(directory: string): Promise<void> {
  const manifest = {
    id: 'checker-bad',
    version: '1.0.0',
    engines: { holdfast: '^0.1.0' },
    entry: 'index.js',
    scope: 'module',
    platforms: ['linux'],
    needs: [],
    provides: [],
    contributes: ['point.checker'],
    requires: { failover: '^0.1.0' },
    conflicts: [],
    capabilities: [],
    config: { type: 'object', properties: { bad: { type: 'object', properties: {} } } },
    startTimeoutMs: 1_000,
    stopTimeoutMs: 1_000,
  }
  const code = `
    import { existsSync } from 'node:fs'
    import { checker, definePlugin, done } from ${JSON.stringify(import.meta.resolve('@holdfast/sdk'))}
    const every = (periodMs, look) => {
      let timer
      return {
        when: 'prim',
        rule: undefined,
        start: async (report) => { timer = setInterval(() => look(report), periodMs); return done },
        stop: async () => clearInterval(timer),
      }
    }
    let lie = false
    const never = new Promise(() => undefined)
    const checkers = {
      'bad.hangs': { when: 'prim', rule: undefined, start: () => never, stop: () => never },
      'bad.throws': { when: 'prim', rule: undefined, start: () => { throw new Error('it broke') }, stop: async () => undefined },
      'bad.lies': every(50, (report) => report((lie = !lie) ? 'up' : 'down', 'who knows')),
      'bad.floods': every(1, (report) => { for (let n = 0; n < 100; n++) report('up', String(n)) }),
      'file.flag': {
        ...every(200, (report) => existsSync('/run/flag') ? report('up', 'it is there') : report('down', 'it is gone')),
        rule: { label: 'f_flag', action: 'restart' },
      },
    }
    export const plugin = definePlugin({
      needs: {},
      activate(_, __, scope) {
        for (const [name, one] of Object.entries(checkers)) scope.contribute(checker, name, one)
      },
    })`
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, 'plugin.json'), JSON.stringify(manifest))
  await writeFile(join(directory, 'index.js'), code)
  await writeFile(join(directory, 'package.json'), '{ "type": "module" }')
}

test('checkers that hang, throw, lie and flood are named, and the module goes on with the one that is good', async (t) => {
  const lab = await Pair.lab({})
  const directory = join(lab.host('n1').directory, 'checker-bad')
  await misbehavingPlugin(directory)
  const builtIn = fileURLToPath(new URL('../../../plugins', import.meta.url))
  const daemonEnvironment = { HOLDFAST_PLUGINS: `${builtIn}:${directory}` }
  await onPair(t, lab, { module: false, daemonEnvironment }, async (pair) => {
    const { n1 } = pair
    const isIn = (state: string): Promise<string> =>
      n1.waitForState('follower', [state], patienceMs)
    await n1.host.mustRun(['touch', '/run/flag'])
    const sources = await lightModule(pair, '<bad/>')
    await n1.mustRun(['module', 'install', 'follower', sources])
    await n1.mustRun(['module', 'config', 'follower', '--nodes', 'n1'])
    await n1.mustRun(['start', '-m', 'follower', '--no-wait'])
    await isIn('UP Ready')
    const listed = (text: RegExp): Promise<true> =>
      until(
        `the resources show ${String(text)}`,
        async () =>
          text.test(await n1.mustRun(['resource', 'list', '-m', 'follower'])) ? true : undefined,
        { timeoutMs: patienceMs, everyMs: 200 },
      )
    await listed(/file\.flag = up/)
    await listed(/bad\.hangs = unknown .*no answer within 10 s/)
    await listed(/bad\.throws = unknown .*it broke/)
    t.truthy(await n1.lastEvent('follower', 'resourceFlaps'))
    t.truthy(await n1.lastEvent('follower', 'checkerFloods'))
    const faultMs = monotonicMs()
    await n1.host.mustRun(['rm', '/run/flag'])
    await isIn('UP Transient')
    t.log(`from fault to action: ${String(Math.round(monotonicMs() - faultMs))} ms`)
    t.regex(await causeOn(n1, 'follower'), /rule f_flag: file\.flag is down \(it is gone\)/)
    await n1.host.mustRun(['touch', '/run/flag'])
    await isIn('UP Ready')
    t.is(await lightStarts(n1), 2)
  })
})

/** A light module of its own, on the first node: `app` sleeps until it is stopped. */
async function lightModule(pair: Pair, failover: string): Promise<string> {
  const directory = join(pair.n1.host.directory, 'module', 'follower')
  await mkdir(join(directory, 'conf'), { recursive: true })
  await mkdir(join(directory, 'bin'), { recursive: true })
  const xml = `<safe>\n<service mode="light">\n<user/>\n${failover}\n</service>\n</safe>\n`
  await writeFile(join(directory, 'conf', 'userconfig.xml'), xml)
  const scripts = {
    start_both: 'echo $$ >>/run/app.starts; setsid sleep 86411 & echo $! >/run/app.pid',
    stop_both: '[ ! -f /run/app.pid ] || kill $(cat /run/app.pid) 2>/dev/null; rm -f /run/app.pid',
  }
  for (const [name, text] of Object.entries(scripts)) {
    await writeFile(join(directory, 'bin', name), `#!/bin/sh\n${text}\nexit 0\n`, { mode: 0o755 })
  }
  return directory
}

/** Whether the application that was started last still runs. */
async function lightRuns(node: Product, pid: string): Promise<boolean> {
  return (await node.host.run(['test', '-d', `/proc/${pid}`])).code === 0
}

async function lightPid(node: Product): Promise<string> {
  return (await node.host.mustRun(['cat', '/run/app.pid'])).trim()
}

async function lightStarts(node: Product): Promise<number> {
  const text = await node.host.mustRun(['sh', '-c', 'cat /run/app.starts 2>/dev/null; true'])
  return text.split('\n').filter(Boolean).length
}

test('rules that are wrong are refused with the line and column of the word that is wrong', async (t) => {
  await withPair(t, { module: false }, async (pair) => {
    const failover =
      '<failover><![CDATA[\n  ok: if (tcp.a == down) then wait();\n  bad: if (tcp.a == dwon) then wait();\n]]></failover>'
    const directory = await lightModule(pair, failover)
    await pair.n1.mustRun(['module', 'install', 'follower', directory])
    const result = await pair.n1.run(['module', 'config', 'follower', '--nodes', 'n1'])
    t.not(result.code, 0)
    t.regex(
      `${result.stdout}${result.stderr}`,
      /userconfig\.xml:6:21: expected a state .*found "dwon"/,
    )
  })
})

test('a light module starts, is restarted by its rule, takes new rules while it runs, survives the daemon, waits, wakes up and stops', async (t) => {
  await withPair(t, { module: false }, async (pair) => {
    const text =
      'app: if (custom.app == down) then restart(); gw: if (custom.gw == down) then wait();'
    const directory = await lightModule(pair, `<failover><![CDATA[${text}]]></failover>`)
    const { n1 } = pair
    const isIn = (state: string): Promise<string> =>
      n1.waitForState('follower', [state], patienceMs)
    await n1.mustRun(['module', 'install', 'follower', directory])
    await n1.mustRun(['module', 'config', 'follower', '--nodes', 'n1'])
    await n1.mustRun(['start', '-m', 'follower', '--no-wait'])
    await isIn('UP Ready')
    t.is(await lightStarts(n1), 1)

    await tell(n1, 'follower', 'custom.app', 'up')
    await tell(n1, 'follower', 'custom.app', 'down')
    await isIn('UP Transient')
    await isIn('UP Ready')
    await tell(n1, 'follower', 'custom.app', 'up')
    await isIn('UP Ready')
    // More than once where the rule looked again before it was told that all is well.
    const starts = await lightStarts(n1)
    t.true(starts >= 2)

    const more = `${text} late: if (custom.late == down) then restart();`
    const file = await n1.host.inside('/etc/holdfast/modules/follower/conf/userconfig.xml')
    await writeFile(file, (await readFile(file, 'utf8')).replace(text, more))
    await n1.mustRun(['module', 'config', 'follower', '--nodes', 'n1'])
    t.is(await n1.state('follower'), 'UP Ready', 'new rules have touched the application')
    t.regex(await explain(n1, 'follower'), /custom\.app = up[^]*late: if/)

    await tell(n1, 'follower', 'custom.gw', 'up')
    await n1.killDaemon()
    await n1.waitUntilItAnswers()
    await isIn('UP Ready')
    t.is(await lightStarts(n1), starts, 'the application was started although it ran')
    t.regex(await n1.mustRun(['resource', 'list', '-m', 'follower']), /custom\.gw = up/)

    const waiting = await lightPid(n1)
    t.true(await lightRuns(n1, waiting))
    await tell(n1, 'follower', 'custom.gw', 'down')
    await isIn('WAIT NotReady')
    t.false(await lightRuns(n1, waiting), 'the application runs in WAIT')
    await tell(n1, 'follower', 'custom.gw', 'up')
    await isIn('UP Ready')
    const last = await lightPid(n1)
    await n1.mustRun(['stop', '-m', 'follower', '--no-wait'])
    await isIn('STOP NotReady')
    t.false(await lightRuns(n1, last), 'the application runs in STOP')
  })
})
