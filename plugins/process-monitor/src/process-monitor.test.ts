import { type ChildProcess, spawn } from 'node:child_process'
import { chmod, copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checker, command, type ModuleScripts, moduleScripts, remark } from '@holdfast/sdk'
import { really, startPlugin, TestExec, TestLog, type TestServices } from '@holdfast/sdk/testing'
import test, { type ExecutionContext } from 'ava'
import { plugin } from './index.js'
import type { ProcSettings } from './settings.js'
import { problemsOf } from './settings.js'

let worlds = 0

const proc = (more: Partial<ProcSettings> = {}): ProcSettings => ({
  ...{ name: 'x', service: false, atleast: 1, atmax: -1, class: 'prim' },
  ...{ action: 'stopstart', start_after: 0, ...more },
})

async function given(
  t: ExecutionContext,
  own: Partial<ProcSettings>,
  services: Partial<TestServices> = {},
  scripts?: ModuleScripts,
) {
  /** Unique on the machine, and at most 15 characters. */
  const name = own.name ?? `hfpm${String(process.pid)}${String.fromCharCode(97 + worlds++)}`
  const directory = await mkdtemp(join(tmpdir(), 'hfpm-'))
  const program = join(directory, name)
  await copyFile('/bin/sleep', program)
  const exec = services.exec ?? new TestExec()
  if (services.exec === undefined) exec.answer = really()
  const config = { errd: { polltimer: 10, proc: [proc({ name, ...own })] } }
  const provided = { [moduleScripts.id]: scripts }
  const host = await startPlugin(plugin, { config, services: { ...services, exec }, provided })
  const children: ChildProcess[] = []
  const said: string[] = []
  const one = host.contribution(checker, `proc.${name}`)
  t.teardown(async () => {
    await one.stop()
    if (host.clock.pending > 0) throw new Error('timers are left')
    await host.stop()
    for (const child of children) child.kill('SIGKILL')
    await rm(directory, { recursive: true })
  })
  return {
    name,
    host,
    one,
    said,
    directory,
    begin: () => one.start((value, cause) => said.push(`${value}: ${cause}`)),
    run: async (...args: string[]) => {
      const child = spawn(program, ['86400', ...args], { stdio: 'ignore' })
      await new Promise((resolve) => child.once('spawn', resolve))
      children.push(child)
      return child
    },
    /** Lets the plugin's time pass, in small steps, until it says so. */
    says: async (text: string, limitMs: number): Promise<number> => {
      for (let passedMs = 0; passedMs <= limitMs; passedMs += 250) {
        // What is real takes real time: generously before the first step and after the last.
        const isEdge = passedMs === 0 || passedMs + 250 > limitMs
        for (let turn = 0; turn < (isEdge ? 1_000 : 5); turn++) {
          if (said.at(-1)?.includes(text) === true) return passedMs
          if (passedMs === 0 && limitMs > 0 && turn > 5) break
          await new Promise((resolve) => setTimeout(resolve, 10))
        }
        await host.clock.pass(250)
      }
      throw new Error(`it said ${said.slice(-3).join(' | ')}, not ${text}`)
    },
  }
}

test('the death of a process is noticed long before the next poll, and its successor at the poll', async (t) => {
  const world = await given(t, {})
  const child = await world.run()
  await world.begin()
  await world.says(`up: 1 of ${world.name} runs`, 0)
  child.kill('SIGKILL')
  const tookMs = await world.says(`down: 0 of ${world.name} run, at least 1 must`, 5_000)
  t.true(tookMs < 5_000, 'it was noticed by a poll only')
  await world.run()
  await world.says('up', 10_000)
  t.deepEqual(world.one.rule, { label: `proc_${world.name}`, action: 'stopstart' })
})

test('one of two that dies matters only when fewer than atleast are left, and too many are down as well', async (t) => {
  const world = await given(t, { atmax: 3 })
  const first = await world.run()
  await world.run()
  await world.begin()
  await world.says('up: 2 of', 0)
  first.kill('SIGKILL')
  await world.says('up: 1 of', 10_000)
  t.false(world.said.some((text) => text.startsWith('down')))
  await world.run()
  await world.run()
  await world.says(`down: 3 of ${world.name} run, fewer than 3 may`, 10_000)
})

test('arguments tell processes of one name apart', async (t) => {
  const world = await given(t, { argregex: '86400 0\\.25$' })
  await world.run()
  await world.begin()
  await world.says('down: 0 of', 0)
  t.is(world.said.length, 1)
  await world.run('0.25')
  await world.says('up: 1 of', 10_000)
})

test('a handler mends what died; one that fails, hangs in vain or is missing leads to down', async (t) => {
  const world = await given(t, { action: 'mend' })
  const path = join(world.host.module.directories.package, 'bin', 'mend')
  const handler = async (text: string): Promise<void> => {
    await writeFile(path, `#!/bin/sh\n${text}\n`)
    await chmod(path, 0o755)
  }
  await handler(`echo "$@" >>${world.directory}/calls`)
  await world.begin()
  await world.says(
    `up: 0 of ${world.name} run, at least 1 must; the handler of ${world.name} ended well`,
    0,
  )
  await handler('echo no luck >&2; exit 3')
  await world.says(
    `down: 0 of ${world.name} run, at least 1 must; the handler of ${world.name} failed: exit code 3 no luck`,
    10_000,
  )
  await rm(path)
  await world.says("can't be run", 10_000)
  t.regex(world.said.at(-1) ?? '', /^down/)
})

/** What the module's scripts would be told, by label. */
function scriptsOf(variables: Readonly<Record<string, string>> = {}) {
  const told = new Map<string, readonly string[]>()
  const addToRestart: ModuleScripts['addToRestart'] = (label, more) => {
    told.set(label, more)
    return () => told.delete(label)
  }
  return { told, variables, addToRestart }
}

test('a handler has the variables of the scripts, and none of them in place of its own', async (t) => {
  const scripts = scriptsOf({ QUEUE: 'mail and more', HOLDFAST_MODULE: 'not this' })
  const world = await given(t, { action: 'mend' }, {}, scripts)
  const path = join(world.host.module.directories.package, 'bin', 'mend')
  await writeFile(path, '#!/bin/sh\necho "$QUEUE, $HOLDFAST_MODULE" >&2; exit 1\n', { mode: 0o755 })
  await world.begin()
  await world.says('exit code 1', 0)
  t.regex(world.said.at(-1) ?? '', /exit code 1 mail and more, test$/)
})

test('a unit with restart_services tells the scripts of its restart which ones, as long as it is watched', async (t) => {
  const exec = new TestExec()
  const unit = {
    name: 'db.service',
    service: true,
    action: 'restart',
    restart_services: 'a,  b@1 ',
  }
  const scripts = scriptsOf()
  const { host } = await given(t, unit, { exec }, scripts)
  t.deepEqual([...scripts.told], [['proc_db_service', ['-Services', 'a, b@1']]])
  await host.stop()
  t.deepEqual([...scripts.told], [])
  const log = new TestLog()
  await given(t, unit, { exec, log })
  t.deepEqual(log.events, ['servicesUntold'])
})

test('classes of scripts wait for errd enable, errd off is kept over a restart, and errd list tells', async (t) => {
  const world = await given(t, { class: 'extra' })
  await world.run()
  await world.begin()
  await world.says('unknown: the class extra is disabled', 0)
  const run = (words: string, parameters: Record<string, string> = {}) =>
    world.host.contribution(command, words).run(parameters, new AbortController().signal)
  await run('errd enable', { class: 'extra' })
  await world.says('up', 0)
  t.regex((await run('errd list')).lines.join('\n'), new RegExp(`proc.${world.name} = up`))
  const remarked = () => world.host.contribution(remark, 'errd').text()
  t.is(remarked(), undefined)
  await run('errd off')
  await world.says('unknown: errd is off', 0)
  t.regex(remarked() ?? '', /errd is off.*"holdfast errd on"/)
  const error = await t.throwsAsync(run('errd enable', { class: 'other' }))
  t.regex(error.message, /no <proc> has the class other/)
  const again = await given(t, { name: world.name, class: 'extra' }, { store: world.host.store })
  await again.begin()
  await again.says('unknown: errd is off', 0)
  world.host.store.reboot()
  await again.host.contribution(command, 'errd on').run({}, new AbortController().signal)
  await again.says('up', 0)
})

test('a unit is what systemctl says, and a systemctl that fails makes it unknown', async (t) => {
  const exec = new TestExec()
  let word = 'active'
  exec.answer = () => ({ stdout: `${word}\n` })
  const world = await given(t, { name: 'db.service', service: true }, { exec })
  await world.begin()
  await world.says('up: the unit db.service is active', 0)
  t.deepEqual(exec.ran[0]?.args, ['is-active', 'db.service'])
  word = 'failed'
  await world.says('down: the unit db.service is failed', 10_000)
  word = 'activating'
  await world.says('unknown: the unit db.service is activating', 10_000)
  exec.answer = () => ({ code: 1, stderr: 'Failed to connect to bus' })
  await world.says('unknown: systemctl: Failed to connect to bus', 10_000)
})

test('start_after leaves the first polls out', async (t) => {
  const world = await given(t, { start_after: 3 })
  await world.begin()
  t.true((await world.says('down', 30_000)) >= 20_000)
})

test('what can never be is refused at its attribute', (t) => {
  const paths = (...procs: readonly Partial<ProcSettings>[]): readonly string[] =>
    problemsOf({ errd: { polltimer: 10, proc: procs.map(proc) } }, { hasSystemd: false }).map(
      ({ path }) => path.replace('/errd/proc/', ''),
    )
  t.deepEqual(paths({}), [])
  t.deepEqual(paths({ argregex: '(' }), ['0/argregex'])
  t.deepEqual(paths({ service: true }), ['0/service'])
  t.deepEqual(paths({ atleast: 2, atmax: 2 }), ['0/atmax'])
  t.deepEqual(paths({}, {}), ['1/name'])
  t.deepEqual(paths({ class: 'pre', action: 'restart' }), ['0/action'])
  const unit = { service: true, action: 'restart' }
  const services = (restart_services: string, own: Partial<ProcSettings> = unit): string =>
    problemsOf(
      { errd: { polltimer: 10, proc: [proc({ ...own, restart_services })] } },
      { hasSystemd: true },
    )
      .map(({ path, message }) => `${path.replace('/errd/proc/0/', '')}: ${message}`)
      .join('\n')
  t.is(services('a.service, b@1,c\\x2dd'), '')
  t.regex(services('a', { action: 'restart' }), /^restart_services: .*service="yes"/)
  t.regex(services('a', { service: true }), /^restart_services: .*action="restart".*"stopstart"/)
  t.regex(services(' '), /^restart_services: it names no unit/)
  t.regex(services('a,'), /^restart_services: "" is no name of a unit/)
  t.regex(services('a b'), /^restart_services: "a b" is no name of a unit/)
  t.regex(services('--now'), /^restart_services: "--now" is no name of a unit/)
  t.regex(services('a, b, a'), /^restart_services: a is written twice/)
})
