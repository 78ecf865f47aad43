/** The lab against itself: what it promises about power, cables and removal holds with plain processes as stand-ins. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import test from 'ava'
import {
  Lab,
  labIds,
  monotonicMs,
  removeLeftovers,
  runCommand,
  until,
  watchdogDevice,
} from './index.js'
import { labDirectory } from './spec.js'

const patience = { timeoutMs: 30_000 }
const server =
  'require("net").createServer(s=>s.end("hello")).listen(7000,"0.0.0.0",()=>console.log("up"))'
const dial = (address: string): string =>
  `const s=require("net").connect({port:7000,host:"${address}"});` +
  's.setTimeout(700,()=>{console.log("silent");process.exit()});' +
  's.on("data",d=>{console.log(String(d));process.exit()});' +
  's.on("error",e=>{console.log(e.code);process.exit()})'

async function answerOf(lab: Lab, address = '10.77.0.11'): Promise<string> {
  const result = await lab.host('c1').run([process.execPath, '-e', dial(address)])
  return result.stdout.trim()
}

async function startServer(lab: Lab, name: string): Promise<void> {
  await lab.host(name).start([process.execPath, '-e', server], { log: 'server' })
  await until(
    'the server is up',
    async () => ((await answerOf(lab)) === 'hello' ? true : undefined),
    {
      timeoutMs: 5_000,
    },
  )
}

async function withLab(run: (lab: Lab) => Promise<void>): Promise<void> {
  const lab = await Lab.create()
  try {
    await run(lab)
  } finally {
    await lab.remove()
  }
}

test.serial('a host that lost its power answers nothing, not even a reset', async (t) => {
  await withLab(async (lab) => {
    const node = lab.host('n1')
    await startServer(lab, 'n1')
    await node.powerOff()
    t.is(await answerOf(lab), 'silent')
    t.false(await node.isOn())
  })
})

test.serial('disks survive a power cycle; /run, boot id and added addresses do not', async (t) => {
  await withLab(async (lab) => {
    const node = lab.host('n1')
    const boot = ['cat', '/proc/sys/kernel/random/boot_id']
    const before = await node.mustRun(boot)
    await node.mustRun([
      'sh',
      '-c',
      'echo kept >/srv/x; echo kept >/etc/holdfast/x; echo gone >/run/x',
    ])
    await node.mustRun(['ip', 'addr', 'add', '10.77.0.200/24', 'dev', 'eth0'])
    await node.powerOff()
    await node.powerOn()
    t.is(await node.mustRun(['cat', '/srv/x', '/etc/holdfast/x']), 'kept\nkept\n')
    t.is((await node.run(['test', '-e', '/run/x'])).code, 1)
    t.not(await node.mustRun(boot), before)
    t.false((await node.mustRun(['ip', 'addr'])).includes('10.77.0.200'))
    t.false(existsSync('/etc/holdfast/x'), 'the machine itself was written to')
  })
})

test.serial('a cut cable is silence in both directions, a loss of 100 % in one', async (t) => {
  await withLab(async (lab) => {
    await startServer(lab, 'n1')
    await lab.network.cut({ host: 'n1' })
    t.is(await answerOf(lab), 'silent')
    await lab.network.heal({ host: 'n1' })
    await until('healed', async () => ((await answerOf(lab)) === 'hello' ? true : undefined), {
      timeoutMs: 5_000,
    })
    await lab.network.lose({ from: 'n1', to: 'c1', lan: 'default', percent: 100 })
    t.is(await answerOf(lab), 'silent')
    await lab.network.endLosses()
    t.is(await answerOf(lab), 'hello')
  })
})

test.serial('a frozen host stands still, and goes on when it thaws', async (t) => {
  await withLab(async (lab) => {
    const node = lab.host('n1')
    await startServer(lab, 'n1')
    await node.freeze()
    t.is(await answerOf(lab), 'silent')
    await node.thaw()
    t.is(await answerOf(lab), 'hello')
    await node.freeze()
    await node.powerOff()
    t.false(await node.isOn())
  })
})

test.serial('a host that is frozen while its power is cut starts again', async (t) => {
  await withLab(async (lab) => {
    const node = lab.host('n1')
    const off = node.powerOff()
    await t.throwsAsync(node.freeze(), { message: /is off/ })
    await off
    await node.powerOn()
    await node.freeze()
    await node.powerOff()
    await node.powerOn()
    t.is(await node.mustRun(['echo', 'up']), 'up\n')
  })
})

test.serial(
  'a node whose watchdog is armed loses its power unless it is fed, also when it stands still',
  async (t) => {
    const lab = await Lab.create({ nodes: ['n1'], clients: [], watchdogSeconds: 1 })
    const node = lab.host('n1')
    const write = (text: string) => node.mustRun(['sh', '-c', `printf ${text} >${watchdogDevice}`])
    const isArmed = (wanted: boolean) =>
      until(
        `armed: ${String(wanted)}`,
        () => (node.isGuarded === wanted ? true : undefined),
        patience,
      )
    try {
      t.false(node.isGuarded)
      await write('.')
      await isArmed(true)
      await write('V')
      await isArmed(false)
      t.is(node.resets, 0)
      await write('.')
      await node.freeze()
      await until('reset', () => (node.resets === 1 ? true : undefined), patience)
      t.false(await node.isOn())
      await node.powerOn()
      t.false(node.isGuarded, 'the watchdog of a machine that begins is off')
    } finally {
      await lab.remove()
    }
  },
)

test.serial(
  'the environment of a command of a host is set inside, whoever enters the host has none of it',
  async (t) => {
    await withLab(async (lab) => {
      const node = lab.host('n1')
      const env = { LD_PRELOAD: 'libnothing.so', MARK: 'inside' }
      const child = await node.start(['sh', '-c', 'echo $MARK; sleep 600'], { log: 'x', env })
      const said = () => readFile(node.logFile('x'), 'utf8')
      const isTold = async () => ((await said()).includes('inside') ? true : undefined)
      await until('the command runs', isTold, patience)
      t.true((await said()).includes('libnothing.so'), 'the library is looked for inside')
      const outside = await readFile(`/proc/${String(child.pid)}/environ`, 'utf8')
      t.false(outside.includes('LD_PRELOAD'))
      t.is(await node.mustRun(['printenv', 'MARK'], { env: { MARK: 'too' } }), 'too\n')
    })
  },
)

test.serial('process 1 of a host reaps orphans', async (t) => {
  await withLab(async (lab) => {
    const node = lab.host('n1')
    await node.mustRun(['sh', '-c', 'for i in 1 2 3 4 5; do (setsid sleep 0.05 & ) ; done'])
    const processes = () => node.mustRun(['ps', '-e', '-o', 'comm='])
    const left = await until(
      'no process but the shell of init and its sleep',
      async () => {
        const names = await processes()
        return names.includes('defunct') ? undefined : names
      },
      { timeoutMs: 3_000 },
    )
    t.notRegex(left, /defunct/)
  })
})

test.serial('a lab whose owner was killed is removed by the next one', async (t) => {
  const program = `
    const { Lab } = await import(${JSON.stringify(new URL('./index.js', import.meta.url).href)})
    const lab = await Lab.create({ nodes: ['n1'], clients: [] })
    await lab.host('n1').start(['sleep', '600'], { log: 'sleep' })
    console.log(lab.id)
    process.kill(process.pid, 'SIGKILL')`
  const result = await runCommand(process.execPath, ['--input-type=module', '-e', program])
  const id = result.stdout.trim()
  t.true((await labIds()).includes(id))
  await withLab(() => Promise.resolve())
  t.false((await labIds()).includes(id))
  t.false(existsSync(labDirectory(id)))
  const namespaces = await runCommand('ip', ['netns', 'list'])
  t.false(namespaces.stdout.includes(`${id}-`))
})

test.serial('two processes that remove what a dead owner left do not meet', async (t) => {
  const leave = `
    const { Lab } = await import(${JSON.stringify(new URL('./index.js', import.meta.url).href)})
    const lab = await Lab.create({ nodes: ['n1', 'n2'], clients: ['c1'] })
    console.log(lab.id)
    process.kill(process.pid, 'SIGKILL')`
  const { stdout } = await runCommand(process.execPath, ['--input-type=module', '-e', leave])
  const id = stdout.trim()
  t.true((await labIds()).includes(id))
  const removed = (await Promise.all([removeLeftovers(), removeLeftovers()])).flat()
  t.deepEqual(
    removed.filter((name) => name === id),
    [id],
  )
  t.false(existsSync(labDirectory(id)))
})

test.serial('a command that hangs in a host is ended by its time-out', async (t) => {
  await withLab(async (lab) => {
    const startMs = monotonicMs()
    const result = await lab.host('n1').run(['sleep', '60'], { timeoutMs: 300 })
    t.true(result.timedOut)
    t.true(monotonicMs() - startMs < 30_000)
    const log = await readFile(lab.host('n1').logFile('init'), 'utf8')
    t.is(log, '')
  })
})

test.serial('a lab can be removed twice at once, and again afterwards', async (t) => {
  const lab = await Lab.create({ nodes: ['n1'], clients: [] })
  const same = await Lab.open(lab.id)
  await Promise.all([lab.remove(), lab.remove(), same.remove()])
  await lab.remove()
  t.false((await labIds()).includes(lab.id))
  t.false(existsSync(labDirectory(lab.id)))
})

test.serial(
  'a lab that is to be kept stays after an interrupt, and another one does not',
  async (t) => {
    const program = (keeps: boolean): string => `
    const { Lab } = await import(${JSON.stringify(new URL('./index.js', import.meta.url).href)})
    const lab = await Lab.create({ nodes: ['n1'], clients: [] })
    lab.removeOnInterrupt()
    if (${String(keeps)}) await lab.keep()
    console.log(lab.id)
    process.kill(process.pid, 'SIGINT')
    setTimeout(() => console.log('not interrupted'), 20_000)`
    for (const keeps of [true, false]) {
      const result = await runCommand(process.execPath, [
        '--input-type=module',
        '-e',
        program(keeps),
      ])
      t.is(result.code, 130, result.stderr)
      const id = result.stdout.trim()
      t.is((await labIds()).includes(id), keeps)
      t.is(existsSync(labDirectory(id)), keeps)
      if (keeps) await (await Lab.open(id)).remove()
    }
  },
)
