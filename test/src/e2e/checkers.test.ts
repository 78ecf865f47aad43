/** Checkers on real daemons: what happened, what was done about it and how soon, and what the operator is told. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { monotonicMs, type Product } from '@holdfast/lab'
import { type Pair, patienceMs, withPair } from './given.js'

const name = 'watched'
const port = 8_099

const xml = `<safe>
<service mode="light" maxloop="10">
  <user/>
  <errd polltimer="1s"><proc name="hfworker" action="restart"/></errd>
  <check>
    <tcp ident="web"><to addr="127.0.0.1" port="${String(port)}" interval="1s" timeout="1s"/></tcp>
    <http ident="page" action="noaction"><to url="http://127.0.0.1:${String(port)}/" interval="1s" timeout="1s"/></http>
    <custom ident="once" mode="once" exec="probe" interval="1s"/>
    <custom ident="dies" exec="dies"/>
    <intf ident="lan"><to local_addr="10.77.0.11"/></intf>
  </check>
</service>
</safe>
`

const server = `require('http').createServer((_, answer) => answer.end('ok')).listen(${String(port)}, '127.0.0.1')`

const scripts: Readonly<Record<string, string>> = {
  start_both: `[ -f /run/hfworker ] || cp /bin/sleep /run/hfworker
setsid /run/hfworker 86413 & echo $! >/run/worker.pid
setsid ${process.execPath} -e "${server}" & echo $! >/run/server.pid`,
  stop_both: `for one in worker server; do
  [ ! -f /run/$one.pid ] || kill -KILL $(cat /run/$one.pid) 2>/dev/null
done
rm -f /run/worker.pid /run/server.pid`,
  probe: '[ ! -f /run/fault ]',
  dies: 'echo "no licence" >&2; exit 7',
}

async function watchedModule({ n1 }: Pair): Promise<void> {
  const directory = join(n1.host.directory, 'module', name)
  for (const part of ['conf', 'bin']) await mkdir(join(directory, part), { recursive: true })
  await writeFile(join(directory, 'conf', 'userconfig.xml'), xml)
  for (const [script, text] of Object.entries(scripts)) {
    const code = script.includes('_') ? `${text}\nexit 0` : text
    await writeFile(join(directory, 'bin', script), `#!/bin/sh\n${code}\n`, { mode: 0o755 })
  }
  await n1.mustRun(['module', 'install', name, directory])
  await n1.mustRun(['module', 'config', name, '--nodes', 'n1'])
  await n1.mustRun(['start', '-m', name, '--no-wait'])
}

async function resources(node: Product): Promise<string> {
  return node.mustRun(['resource', 'list', '-m', name])
}

async function shows(node: Product, text: RegExp): Promise<string> {
  const endMs = monotonicMs() + patienceMs
  for (;;) {
    const list = await resources(node)
    if (text.test(list)) return list
    if (monotonicMs() > endMs) throw new Error(`waited in vain for ${String(text)}:\n${list}`)
  }
}

async function causeOn(node: Product): Promise<string> {
  return (await node.module(name))?.state?.cause ?? ''
}

test('a closed port, a dead process and a cable that is out are acted upon in time, each with its cause, beside a checker that dies', async (t) => {
  await withPair(t, { module: false }, async (pair) => {
    const { n1 } = pair
    const isIn = (state: string): Promise<string> => n1.waitForState(name, [state], patienceMs)
    await watchedModule(pair)
    await isIn('UP Ready')
    const allUp = async (): Promise<void> => {
      for (const resource of ['tcp\\.web', 'proc\\.hfworker', 'http\\.page', 'custom\\.once']) {
        await shows(n1, new RegExp(`${resource} = up`))
      }
      await shows(n1, /intf\.lan = up .*eth0 has a carrier/)
    }
    await allUp()
    await shows(n1, /custom\.dies = unknown .*ended with 7: no licence/)

    /** From the fault to the moment when the module has left its state. */
    const measured = async (what: string, state: string, fault: () => Promise<unknown>) => {
      const faultMs = monotonicMs()
      await fault()
      await isIn(state)
      const tookMs = Math.round(monotonicMs() - faultMs)
      t.log(`${what}: ${String(tookMs)} ms from fault to action`)
      return await causeOn(n1)
    }
    const kill = (which: string) => () =>
      n1.host.mustRun(['sh', '-c', `kill -KILL $(cat /run/${which}.pid)`])

    t.regex(
      await measured('closed port', 'UP Transient', kill('server')),
      /rule t_web: tcp\.web is down \(127\.0\.0\.1 port 8099: .*ECONNREFUSED/,
    )
    await isIn('UP Ready')
    await allUp()
    t.regex(
      await measured('dead process', 'UP Transient', kill('worker')),
      /rule proc_hfworker: proc\.hfworker is down \(0 of hfworker run, at least 1 must\)/,
    )
    await isIn('UP Ready')
    await allUp()
    const cut = () => pair.lab.network.cut({ host: 'n1' })
    t.regex(
      await measured('cable out', 'WAIT NotReady', cut),
      /rule interface_failure: intf\.lan is down \(eth0 has no carrier\)/,
    )
    await pair.lab.network.heal({ host: 'n1' })
    await isIn('UP Ready')
    await allUp()

    // What no rule looks at is shown and changes nothing.
    await n1.host.mustRun(['touch', '/run/fault'])
    await shows(n1, /custom\.once = down .*exit code 1/)
    t.is(await n1.state(name), 'UP Ready')
    t.regex(await n1.mustRun(['errd', 'list', '-m', name]), /proc\.hfworker = up +class prim/)

    // The daemon dies: nothing is restarted, and no second program of a checker is left.
    await n1.killDaemon()
    await n1.waitUntilItAnswers()
    await isIn('UP Ready')
    await shows(n1, /tcp\.web = up/)
    await n1.mustRun(['stop', '-m', name, '--no-wait'])
    await isIn('STOP NotReady')
  })
})
