/** Checkers on real daemons: what is done about each fault, what the operator is told, and what a checker that is bad itself can't do. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { checkerFaults, leader, runMatrix, Stand } from '@holdfast/bench'
import { type Product, until } from '@holdfast/lab'
import { type Pair, patienceMs, withPair } from './given.js'
import { facts, refuses } from './refusal.js'

const name = 'watched'
const port = 8_099
const web = `<tcp ident="web"><to addr="127.0.0.1" port="${String(port)}" interval="1s" timeout="1s"/></tcp>`

const server =
  `require('http').createServer((_, answer) => answer.end('ok')).listen(${String(port)}, '127.0.0.1', ` +
  `() => require('fs').writeFileSync('/run/server.up', ''))`

/** Tells a value through the API, `parallel` at a time, with `pauseMs` between. Ends after a while, so that nothing is busy for ever. */
function teller(parallel: number, pauseMs: number): string {
  return `#!${process.execPath}
const { Agent, request } = require('node:http')
const [, , own, resource] = process.argv
const agent = new Agent({ keepAlive: true })
let turn = 0
const tell = () => {
  const value = turn++ % 2 === 0 ? 'up' : 'down'
  const parameters = { name: resource, value, by: 'test', cause: 'turn ' + turn }
  const again = () => { if (process.uptime() < 60) setTimeout(tell, ${String(pauseMs)}) }
  const options = { socketPath: '/run/holdfast/api.sock', path: '/api/v1/modules/' + own + '/commands/run', method: 'POST', agent, headers: { 'content-type': 'application/json' } }
  const call = request(options, (answer) => answer.resume().on('end', again))
  call.on('error', again)
  call.end(JSON.stringify({ command: 'resource set', parameters }))
}
for (let n = 0; n < ${String(parallel)}; n++) tell()
setTimeout(() => undefined, 86400000)
`
}

const scripts: Readonly<Record<string, string>> = {
  // Returns when it listens: what is slow to come must not look like what went down.
  start_both: `#!/bin/sh
rm -f /run/server.up
setsid ${process.execPath} -e "${server}" & echo $! >/run/server.pid
until [ -f /run/server.up ]; do sleep 0.1; done
exit 0
`,
  stop_both: `#!/bin/sh
[ ! -f /run/server.pid ] || kill -KILL $(cat /run/server.pid) 2>/dev/null
exit 0
`,
  dies: '#!/bin/sh\necho "no licence" >&2; exit 7\n',
  hangs: '#!/bin/sh\nsleep 86415\n',
  shouts: "#!/bin/sh\nhead -c 20000000 /dev/zero | tr '\\0' x\n",
  flaps: teller(1, 100),
  floods: teller(8, 0),
}

/** A light module on n1 that runs, with these elements of its service, and scripts besides or in place of those above. */
async function watchedModule(
  { n1 }: Pair,
  elements: string,
  more: Readonly<Record<string, string>> = {},
): Promise<void> {
  const directory = join(n1.host.directory, 'module', name)
  for (const part of ['conf', 'bin']) await mkdir(join(directory, part), { recursive: true })
  const user = elements.includes('<user>') ? '' : '<user/>'
  const xml = `<safe><service mode="light">${user}${elements}</service></safe>\n`
  await writeFile(join(directory, 'conf', 'userconfig.xml'), xml)
  for (const [script, text] of Object.entries({ ...scripts, ...more })) {
    await writeFile(join(directory, 'bin', script), text, { mode: 0o755 })
  }
  await n1.mustRun(['module', 'install', name, directory])
  await n1.mustRun(['module', 'config', name, '--nodes', 'n1'])
  await n1.mustRun(['start', '-m', name, '--no-wait'])
  await isIn(n1, 'UP Ready')
}

async function isIn(node: Product, state: string): Promise<void> {
  await node.waitForState(name, [state], patienceMs)
}

function asked(node: Product, ...words: readonly string[]): Promise<string> {
  return node.mustRun([...words, '-m', name])
}

async function shows(node: Product, text: RegExp, ...words: readonly string[]): Promise<string> {
  return await until(
    `"${words.join(' ')}" shows ${String(text)}`,
    async () => {
      const shown = await asked(node, ...words)
      return text.test(shown) ? shown : undefined
    },
    { timeoutMs: patienceMs, everyMs: 100 },
  )
}

const resources = ['resource', 'list'] as const
const killServer = (node: Product): Promise<string> =>
  node.host.mustRun(['sh', '-c', 'kill -KILL $(cat /run/server.pid)'])

async function causeOn(node: Product): Promise<string> {
  return (await node.module(name))?.state?.cause ?? ''
}

test('each fault that a checker is for is followed by its action, with a cause that names it', async (t) => {
  await withPair(t, { module: false }, async (pair) => {
    const stand = await Stand.on(pair, leader)
    for (const fault of checkerFaults) {
      // A fault that another rule or cause follows throws, with what was found.
      const [row] = await runMatrix(stand, [fault], 1, (line) => t.log(line))
      t.truthy(row, fault.name)
      if (row !== undefined && 'impossible' in row) t.log(`${fault.name}: ${row.impossible}`)
    }
  })
})

test('checkers that hang, flood, lie and die are named, and the good one beside them acts, also after the daemon was killed', async (t) => {
  const bad = `<custom ident="hangs" mode="once" exec="hangs" interval="1s" timeout="1s"/>
    <custom ident="shouts" mode="once" exec="shouts" interval="5s" timeout="5s"/>
    <custom ident="flaps" exec="flaps"/><custom ident="floods" exec="floods"/>
    <custom ident="dies" exec="dies"/>`
  const rule = 'lies: if (custom.flaps == down || custom.floods == down) then restart();'
  // On a loaded machine what flaps may look steady for a second.
  const elements = `<check>${web}${bad}</check><failover handle_time="5s">${rule}</failover>`
  await withPair(t, { module: false }, async (pair) => {
    const { n1 } = pair
    const goodOneActs = async (): Promise<void> => {
      await shows(n1, /tcp\.web = up/, ...resources)
      await killServer(n1)
      await shows(n1, /tcp\.web = down/, ...resources)
      await until(
        'the module is restarted because of the good checker',
        async () => ((await causeOn(n1)).startsWith('rule t_web: ') ? true : undefined),
        { timeoutMs: patienceMs },
      )
      await isIn(n1, 'UP Ready')
    }
    await watchedModule(pair, elements)
    await shows(n1, /custom\.hangs = down .*killed|custom\.hangs = down .*1000 ms/, ...resources)
    await shows(n1, /custom\.dies = unknown .*ended with 7: no licence/, ...resources)
    const list = await shows(n1, /custom\.shouts = up/, ...resources)
    t.true(list.length < 5_000, 'what a program shouts is cut')
    for (const one of ['flaps', 'floods']) {
      await until(
        `the log names custom.${one}`,
        async () => {
          const named = await asked(n1, 'log', '--verbose')
          return named.includes(`custom.${one} changes again and again`) ? true : undefined
        },
        { timeoutMs: patienceMs, everyMs: 200 },
      )
    }
    await goodOneActs()
    const pids = await n1.host.processes(/^sleep 86415/)
    t.true(pids.length <= 1, 'a program that hangs is gone before the next one begins')

    await n1.killDaemon()
    await n1.waitUntilItAnswers()
    await isIn(n1, 'UP Ready')
    await goodOneActs()
    for (const one of ['flaps', 'floods']) {
      const running = await n1.host.processes(new RegExp(`bin/${one} ${name} `))
      t.true(running.length <= 1, `${one} runs ${String(running.length)} times`)
    }
    const explained = await asked(n1, 'failover', 'explain')
    t.notRegex(explained, /because: rule lies/, 'nothing follows from what does not stay')
  })
})

test('the fourth interruption stops the module by maxloop, also when the daemon was killed in between, and explain tells all four', async (t) => {
  const elements = `<check>${web}</check><failover handle_time="500ms"/>`
  await withPair(t, { module: false }, async (pair) => {
    const { n1 } = pair
    await watchedModule(pair, elements)
    const actions = async (): Promise<number> => {
      const explained = await asked(n1, 'failover', 'explain')
      // A daemon that is killed within half a second of an answer has not written it down: never answered.
      const orders = explained.match(/: restart\(\)[^,]*, because: rule t_web: tcp\.web is down/g)
      return orders?.length ?? 0
    }
    for (let n = 1; n <= 4; n++) {
      await shows(n1, /tcp\.web = up/, ...resources)
      await killServer(n1)
      await until(
        `rule t_web acted ${String(n)} times`,
        async () => ((await actions()) === n ? true : undefined),
        { timeoutMs: patienceMs, everyMs: 100 },
      )
      await isIn(n1, n < 4 ? 'UP Ready' : 'STOP NotReady')
      if (n !== 2) continue
      await n1.killDaemon()
      await n1.waitUntilItAnswers()
      await isIn(n1, 'UP Ready')
    }
    t.regex(await causeOn(n1), /stopped by maxloop: rule t_web: tcp\.web is down .*ECONNREFUSED/)
    await asked(n1, 'start', '--no-wait')
    await isIn(n1, 'UP Ready')
    await shows(n1, /tcp\.web = up/, ...resources)
    await killServer(n1)
    await until(
      'an order of the operator begins a new count',
      async () => ((await causeOn(n1)).startsWith('rule t_web: ') ? true : undefined),
      { timeoutMs: patienceMs },
    )
    await isIn(n1, 'UP Ready')
  })
})

interface Listed {
  readonly resources: readonly {
    readonly name: string
    readonly value: string
    readonly sinceMs: number
  }[]
}

test('values, ages, histories and switches survive the death of the daemon, and a wrong order is refused with what is allowed', async (t) => {
  const elements = `<check>${web}<custom ident="told" exec="hangs"/></check>
    <errd polltimer="1s"><proc name="none" class="night" atleast="0" action="noaction"/></errd>`
  await withPair(t, { module: false }, async (pair) => {
    const { n1 } = pair
    await watchedModule(pair, elements)
    await shows(n1, /tcp\.web = up/, ...resources)
    for (const value of ['up', 'down']) {
      await asked(n1, 'resource', 'set', 'custom.told', value, '--by', 'me', '--cause', `${value}!`)
    }
    const known = async (): Promise<unknown> => {
      // The command's own format.
      const { resources: all } = JSON.parse(await asked(n1, ...resources, '--json')) as Listed
      const lasting = all.filter((one) => ['tcp.web', 'custom.told'].includes(one.name))
      const values = lasting.map((one) => [one.name, one.value, one.sinceMs])
      return [values, await asked(n1, 'resource', 'history', 'custom.told')]
    }
    const before = await known()
    await n1.killDaemon()
    await n1.waitUntilItAnswers()
    await isIn(n1, 'UP Ready')
    await shows(n1, /tcp\.web = up/, ...resources)
    t.deepEqual(await known(), before)

    const refusals: readonly (readonly [readonly string[], RegExp])[] = [
      [['checker', 'of'], /unknown command 'of'[^]*off, on/],
      [['checker'], /checker --help/],
      [['checker', 'off', 'now'], /too many arguments/],
      [['errd', 'enable'], /class/],
      [['errd', 'enable', 'day'], /no <proc> has the class day[^]*night/],
      [['errd', 'disable', 'prim'], /no <proc> has the class prim[^]*night/],
      [['errd', 'pause'], /unknown command 'pause'/],
      [
        ['resource', 'set', 'tcp.web', 'up', '--by', 'me'],
        /tcp\.web can't be set; allowed: custom\.told/,
      ],
      [['resource', 'set', 'custom.told', 'purple', '--by', 'me'], /init.*down.*up.*unknown/],
      [['resource', 'set', 'custom.told', 'up'], /by/],
      [['resource', 'history', 'tcp.wep'], /there is no resource tcp\.wep; there are: .*tcp\.web/],
    ]
    const untouched = await facts(pair)
    for (const [words, says] of refusals) {
      await refuses(t, words.join(' '), n1, [...words, '-m', name], says)
    }
    t.deepEqual(await facts(pair), untouched)

    await asked(n1, 'checker', 'off')
    await asked(n1, 'errd', 'off')
    await killServer(n1)
    await n1.killDaemon()
    await n1.waitUntilItAnswers()
    await isIn(n1, 'UP Ready')
    await shows(n1, /Checkers are switched off/, ...resources)
    await shows(n1, /UP [^]*Checkers are switched off[^]*errd is off/, 'state')
    await shows(n1, /errd is off/, 'errd', 'list')
    t.notRegex(await causeOn(n1), /rule/)
    await asked(n1, 'errd', 'on')
    await asked(n1, 'checker', 'on')
    t.notRegex(await asked(n1, 'state'), / off/)
    await shows(n1, /tcp\.web = down/, ...resources)
    await until(
      'the rule acts again',
      async () => ((await causeOn(n1)).startsWith('rule t_web: ') ? true : undefined),
      { timeoutMs: patienceMs },
    )
  })
})

/** Stands in for systemd: a unit is active while there is a file of its name, and starting one is making it. */
const systemd = `set -e
mkdir -p /run/systemd/system /run/units
touch /run/units/web.service /run/units/cache.service
cat >/run/systemctl <<"END"
#!/bin/sh
[ -f "/run/units/$2" ] && echo active || echo failed
END
chmod +x /run/systemctl
mount --bind /run/systemctl /usr/bin/systemctl
`

/** Keeps what it was called with, and does only what it is told to do. */
const servicesScript = (verb: string): string => `#!/bin/sh
echo "\${0##*/} $*" >>/run/calls
while [ $# -gt 0 ] && [ "$1" != -Services ]; do shift; done
for unit in $(echo "$2" | tr -d ,); do ${verb} "/run/units/$unit"; done
`

test('the unit that failed and those that go with it are all that the scripts restart, and a handler has their variables', async (t) => {
  const elements = `<user><var name="QUEUE" value="mail &amp; more"/></user>
    <errd polltimer="1s">
      <proc name="web.service" service="yes" action="restart" restart_services="web.service,cache.service"/>
      <proc name="none" argregex="never" action="mend"/></errd>
    <failover handle_time="500ms"/>`
  const own = {
    start_both: servicesScript('touch'),
    stop_both: servicesScript('rm -f'),
    mend: '#!/bin/sh\necho "$QUEUE" >/run/mended\n',
  }
  await withPair(t, { module: false }, async (pair) => {
    const { n1 } = pair
    await n1.host.mustRun(['sh', '-c', systemd])
    await watchedModule(pair, elements, own)
    await shows(n1, /proc\.web\.service = up/, ...resources)
    const calls = async (): Promise<readonly string[]> =>
      (await n1.host.mustRun(['cat', '/run/calls'])).trim().split('\n')
    const before = (await calls()).length
    await n1.host.mustRun(['rm', '/run/units/web.service'])
    await until(
      'the module is restarted because of the unit',
      async () => ((await calls()).length >= before + 3 ? true : undefined),
      { timeoutMs: patienceMs },
    )
    await isIn(n1, 'UP Ready')
    const services = '-Services web.service, cache.service'
    t.deepEqual((await calls()).slice(before), [
      `stop_both UP UP restart ${services}`,
      `stop_both force UP UP restart ${services}`,
      `start_both UP UP restart ${services}`,
    ])
    t.regex(await causeOn(n1), /^rule proc_web_service: proc\.web\.service is down/)
    await shows(n1, /proc\.web\.service = up/, ...resources)

    const asOrdered = (await calls()).length
    await asked(n1, 'restart')
    const ordered = (await calls()).slice(asOrdered)
    t.is(ordered.length, 3)
    t.false(ordered.join().includes('-Services'), "an operator's restart is one of everything")
    t.is((await n1.host.mustRun(['cat', '/run/mended'])).trim(), 'mail & more')
  })
})
