import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checker, program } from '@holdfast/sdk'
import { really, startPlugin, TestExec } from '@holdfast/sdk/testing'
import test from 'ava'
import { pathOf } from './agent.js'
import { check, plugin } from './index.js'
import { advisedTimes } from './metadata.js'

/** An agent as the OCF wants it: a file stands for what it watches. */
const agent = (directory: string): string => `#!/bin/sh
case $1 in
meta-data) cat <<END
<resource-agent name="File"><parameters>
<parameter name="file" unique="1" required="1"><content type="string"/></parameter>
<parameter name="depth"><content type="integer" default="0"/></parameter>
</parameters></resource-agent>
END
;;
monitor) [ -n "$OCF_RESKEY_file" ] || exit 6
[ -f ${directory}/hang ] && exec sleep 86411
[ -f "$OCF_RESKEY_file" ] || { echo "no file, level $OCF_CHECK_LEVEL" >&2; exit 7; } ;;
*) exit 3 ;;
esac
`

test('the monitor of an agent tells, and an agent that hangs or misses a parameter is named', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'hfocf-'))
  t.teardown(() => rm(directory, { recursive: true }))
  const path = join(directory, 'File')
  await writeFile(path, agent(directory), { mode: 0o755 })
  const entry = (...param: readonly { name: string; value: string }[]) => ({
    ...{ ident: 'f', when: 'prim' as const, agent: path, param, level: 10 },
    ...{ interval: 10, timeout: 5, retries: 0 },
  })
  const file = { name: 'file', value: join(directory, 'watched') }
  const exec = new TestExec()
  exec.answer = really()
  const config = { check: { ocf: [entry(file), { ...entry(), ident: 'g' }] } }
  const host = await startPlugin(plugin, { config, services: { exec } })
  /** The first look of a checker. */
  const look = async (name: string, passMs = 0): Promise<string> => {
    const one = host.contribution(checker, name)
    const said = new Promise<string>((resolve) => {
      void one.start((value, cause) => {
        resolve(`${value}: ${cause}`)
      })
    })
    await host.clock.pass(passMs)
    const text = await said
    await one.stop()
    return text
  }
  t.is(await look('ocf.f'), 'down: it does not run (7): no file, level 10')
  await writeFile(file.value, '')
  t.is(await look('ocf.f'), 'up: it runs (0)')
  t.is(await look('ocf.g'), 'unknown: a parameter is missing or wrong (6)')
  await writeFile(join(directory, 'hang'), '')
  t.is(await look('ocf.f', 5_000), 'down: no answer within 5000 ms')
  t.is(host.clock.pending, 0)
  await host.stop()

  const messages = async (own: ReturnType<typeof entry>): Promise<readonly string[]> =>
    (await check({ check: { ocf: [own] } }, { exec: host.exec })).errors.map(
      ({ message }) => message,
    )
  t.deepEqual(await messages(entry(file)), [])
  t.deepEqual(await messages(entry({ name: 'fiel', value: 'x' })), [
    'the agent has no parameter "fiel"; it has file, depth',
    'the agent requires the parameter "file"',
  ])
  t.regex(
    (await messages({ ...entry(file), agent: 'nobody:Nothing' }))[0] ?? '',
    /install resource-agents/,
  )
  t.is(pathOf('heartbeat:nginx'), '/usr/lib/ocf/resource.d/heartbeat/nginx')
})

/** Settings for real agents whose servers listen on nothing but files of `directory`. */
async function realAgents(directory: string) {
  const nginx = join(directory, 'nginx.conf')
  await writeFile(
    nginx,
    `pid ${directory}/nginx.pid; error_log ${directory}/error.log; events {}
    http { access_log off; server { listen unix:${directory}/socket; } }`,
  )
  const entry = (ident: string, agent: string, param: Readonly<Record<string, string>>) => ({
    ...{ ident, agent, class: 'prim' as const, retries: 0, level: 0, stoptimeout: 33 },
    param: Object.entries(param).map(([name, value]) => ({ name, value })),
  })
  return [
    entry('dummy', 'heartbeat:Dummy', { state: join(directory, 'state') }),
    entry('nginx', 'heartbeat:nginx', { configfile: nginx, httpd: '/usr/sbin/nginx' }),
    entry('any', 'heartbeat:anything', {
      ...{ binfile: '/bin/sleep', cmdline_options: '86413', pidfile: join(directory, 'pid') },
    }),
  ]
}

test('agents of the distribution start, are watched and stop with the times that they advise', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'hfocf-'))
  t.teardown(() => rm(directory, { recursive: true }))
  const exec = new TestExec()
  exec.answer = really()
  const config = { ocf: await realAgents(directory) }
  t.deepEqual((await check(config, { exec })).errors, [])
  const host = await startPlugin(plugin, { config, services: { exec } })
  for (const [ident, startMs] of [
    ['dummy', 20_000],
    ['nginx', 40_000],
    ['any', 20_000],
  ] as const) {
    const agent = host.contribution(program, `ocf_${ident}`)
    t.is(agent.suite, 'prim')
    t.deepEqual([agent.start.timeoutMs, agent.stop.timeoutMs], [startMs, 33_000])
    t.is(agent.stop.environment['OCF_RESKEY_CRM_meta_timeout'], '33000')
    const call = async ({ args, environment }: typeof agent.start): Promise<number | undefined> =>
      (await exec.run(agent.path, args, { timeoutMs: 33_000, env: environment })).code
    t.teardown(() => call(agent.stop))
    const watch = host.contribution(checker, `ocf.${ident}`)
    t.deepEqual([watch.when, watch.rule?.action], ['prim', 'restart'])
    const look = (): Promise<string> =>
      new Promise((resolve) => {
        void watch.start((value) => {
          void watch.stop().then(() => {
            resolve(value)
          })
        })
      })
    t.is(await look(), 'down', ident)
    // Each call twice: what was cut is repeated.
    for (const [action, value] of [
      [agent.start, 'up'],
      [agent.start, 'up'],
      [agent.stop, 'down'],
      [agent.stop, 'down'],
    ] as const) {
      t.is(await call(action), 0, `${ident} ${String(action.args[0])}`)
      t.is(await look(), value, ident)
    }
  }
  await host.stop()
})

test('the advice of meta-data is taken by depth, and one ident names one thing', async (t) => {
  const metaData = `
    <action name="start" timeout="40" /><action name="stop" timeout='2m'/>
    <action name="monitor" role="Promoted" timeout="7s" interval="9s"/>
    <action timeout="30s" name="monitor" depth="0" interval="11s" />
    <action name="monitor" depth="10" timeout="60s" interval="0"/>`
  const advised = { startMs: 40_000, stopMs: 120_000 }
  t.deepEqual(advisedTimes(metaData, 0), { ...advised, monitorMs: 30_000, everyMs: 11_000 })
  t.deepEqual(advisedTimes(metaData, 10), { ...advised, monitorMs: 60_000, everyMs: undefined })
  t.is(advisedTimes('', 0).startMs, undefined)

  const exec = new TestExec()
  exec.answer = really()
  const entry = { ident: 'd', agent: 'heartbeat:Dummy', param: [], retries: 0, level: 0 }
  const config = {
    ocf: [{ ...entry, class: 'prim' as const }],
    check: { ocf: [{ ...entry, when: 'prim' as const, interval: 10, timeout: 20 }] },
  }
  const { errors } = await check(config, { exec })
  t.deepEqual(
    errors.map(({ path }) => path),
    ['/check/ocf/0/ident'],
  )
})
