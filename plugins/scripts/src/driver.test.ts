import { readdir, readFile } from 'node:fs/promises'
import anyTest, { type TestFn } from 'ava'
import { causeOfRule, type Verdict } from '@holdfast/sdk'
import { check } from './check.js'
import { runsMax, plannedRemovals } from './output.js'
import { findMarked, signal } from './processes.js'
import { markOf } from './settings.js'
import { makeWorld, never, realClock, transition, type World } from './testing/world.js'

const test = anyTest as TestFn<{ worlds: World[] }> // ava types its context only this way.

test.beforeEach((t) => {
  t.context.worlds = []
})

test.afterEach.always(async (t) => {
  for (const world of t.context.worlds) {
    for (const { pid } of await findMarked(markOf(world.context))) signal(pid, 'SIGKILL')
    await world.remove()
  }
})

async function given(
  t: { readonly context: { readonly worlds: World[] } },
  ...[user, programs]: Parameters<typeof makeWorld>
): Promise<World> {
  const world = await makeWorld(user, programs)
  t.context.worlds.push(world)
  return world
}

function codeOf(verdict: Verdict): string {
  return verdict.ok ? 'ok' : verdict.code
}

async function until(holds: () => Promise<boolean>): Promise<boolean> {
  const deadlineMs = realClock.monotonicMs() + 5_000
  while (realClock.monotonicMs() < deadlineMs) {
    if (await holds()) return true
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return false
}

test('start scripts run in order with their arguments, stop scripts run twice', async (t) => {
  const world = await given(t)
  for (const name of ['start_both', 'start_prim.sh', 'stop_prim', 'stop_both', 'transition']) {
    await world.script(name, 'note "$@"')
  }
  const driver = world.daemon()
  t.deepEqual(await driver.enter(transition('wait', 'prim'), never), { ok: true })
  t.deepEqual(await driver.leave(transition('prim', 'wait', 'stop'), never), { ok: true })
  t.deepEqual(await world.notes(), [
    'transition WAIT PRIM start',
    'start_both WAIT PRIM start',
    'start_prim.sh WAIT PRIM start',
    'stop_prim PRIM WAIT stop',
    'stop_prim force PRIM WAIT stop',
    'stop_both PRIM WAIT stop',
    'stop_both force PRIM WAIT stop',
  ])
})

test('scripts see our variables, those of existing scripts and their own', async (t) => {
  const world = await given(t, { var: [{ name: 'SHOP', value: 'a b "c"' }] })
  await world.script(
    'start_prim',
    'note "$HOLDFAST_MODULE $HOLDFAST_NODE $HOLDFAST_PEER $SAFEMODULE $SAFE $SHOP"; note "$SAFEUSERBIN"',
  )
  await world.daemon().enter(transition('wait', 'prim'), never)
  const bin = `${world.context.directories.package}/bin`
  t.deepEqual(await world.notes(), [
    'start_prim shop n1 n2 shop /opt/holdfast a b "c"',
    `start_prim ${bin}`,
  ])
})

test('a start script that fails fails the transition, and the next one is not called', async (t) => {
  const world = await given(t)
  await world.script('start_both', 'note; echo what went wrong; exit 3')
  await world.script('start_prim', 'note')
  const verdict = await world.daemon().enter(transition('wait', 'prim'), never)
  t.is(codeOf(verdict), 'E_SCRIPT_FAILED')
  t.false(verdict.ok)
  if (!verdict.ok) t.regex(verdict.reason, /start_both failed with exit code 3/)
  t.deepEqual(await world.notes(), ['start_both '])
})

test('a start script that hangs is killed with its group at the time-out', async (t) => {
  const world = await given(t, { starttimeout: 1 })
  await world.script('start_prim', 'sleep 1000 & echo $! ; sleep 1000')
  const verdict = await world.daemon().enter(transition('wait', 'prim'), never)
  t.is(codeOf(verdict), 'E_SCRIPT_FAILED')
  t.deepEqual(await findMarked(markOf(world.context)), [])
})

test('a restart by a rule gives its scripts what was added for that rule, and another restart gives nothing more', async (t) => {
  const world = await given(t)
  await world.script('stop_prim', 'note "$#" "$@"')
  await world.script('start_prim', 'note "$#" "$@"')
  const driver = world.daemon()
  const calls = async (cause: string): Promise<readonly string[]> => {
    const before = (await world.notes()).length
    await driver.restart({ ...transition('prim', 'prim', 'restart'), cause }, never)
    return (await world.notes()).slice(before)
  }
  const cancel = world.offered.addToRestart('proc_web', ['-Services', 'web, db'])
  t.deepEqual(await calls(causeOfRule('proc_web', 'proc.web is down (rule: none)')), [
    'stop_prim 5 PRIM PRIM restart -Services web, db',
    'stop_prim 6 force PRIM PRIM restart -Services web, db',
    'start_prim 5 PRIM PRIM restart -Services web, db',
  ])
  const plain = [
    'stop_prim 3 PRIM PRIM restart',
    'stop_prim 4 force PRIM PRIM restart',
    'start_prim 3 PRIM PRIM restart',
  ]
  t.deepEqual(await calls(causeOfRule('proc_web2', 'proc.web2 is down')), plain)
  t.deepEqual(await calls('the operator said: rule proc_web: restart'), plain)
  const cancelNewer = world.offered.addToRestart('proc_web', ['-Services', 'web'])
  cancel()
  t.regex((await calls(causeOfRule('proc_web', 'down')))[0] ?? '', / -Services web$/)
  cancelNewer()
  t.deepEqual(await calls(causeOfRule('proc_web', 'down')), plain)
})

test('a stop script that hangs is killed and called again with force', async (t) => {
  const world = await given(t, { nicestoptimeout: 1 })
  await world.script('stop_prim', 'note "$1"; [ "$1" = force ] || sleep 1000')
  t.is(codeOf(await world.daemon().leave(transition('prim', 'wait', 'stop'), never)), 'ok')
  t.deepEqual(await world.notes(), ['stop_prim PRIM', 'stop_prim force'])
})

test('a stop that fails with force is a failure, kills what it knows, and still runs the others', async (t) => {
  const world = await given(t)
  await world.script('start_prim', 'setsid sleep 1000 >/dev/null 2>&1 &')
  await world.script('stop_prim', 'note; exit 1')
  await world.script('stop_both', 'note')
  const driver = world.daemon()
  await driver.enter(transition('wait', 'prim'), never)
  t.is((await findMarked(markOf(world.context))).length, 1)
  const verdict = await driver.leave(transition('prim', 'wait', 'stop'), never)
  t.is(codeOf(verdict), 'E_SCRIPT_STOP_FAILED')
  t.is((await world.notes()).filter((line) => line.startsWith('stop_both')).length, 2)
  t.deepEqual(await findMarked(markOf(world.context)), [])
  t.true(world.events.includes('leftoversKilled'))
})

test('a transition that is given up kills the script that runs', async (t) => {
  const world = await given(t)
  await world.script('start_prim', 'note; sleep 1000')
  const abort = new AbortController()
  const pending = world.daemon().enter(transition('wait', 'prim'), abort.signal)
  t.true(await until(async () => (await world.notes()).length === 1))
  abort.abort()
  t.is(codeOf(await pending), 'E_SCRIPT_ABORTED')
  t.deepEqual(await findMarked(markOf(world.context)), [])
})

test('a restarted daemon learns the result of the script that was running', async (t) => {
  const world = await given(t)
  await world.script('start_both', 'note')
  await world.script('start_prim', 'note; sleep 1; note end')
  const first = world.daemon()
  void first.enter(transition('wait', 'prim'), never)
  t.true(await until(async () => (await world.notes()).length === 2))
  first.crash()
  t.is(codeOf(await world.daemon().adopt('prim')), 'ok')
  t.deepEqual(await world.notes(), ['start_both ', 'start_prim ', 'start_prim end'])
})

test('a restarted daemon that repeats the transition starts nothing a second time', async (t) => {
  const world = await given(t)
  await world.script('start_both', 'note')
  await world.script('start_prim', 'note; sleep 1; note end')
  await world.script('transition', 'note')
  const first = world.daemon()
  void first.enter(transition('wait', 'prim'), never)
  t.true(await until(async () => (await world.notes()).length === 3))
  first.crash()
  t.is(codeOf(await world.daemon().enter(transition('wait', 'prim'), never)), 'ok')
  t.deepEqual(await world.notes(), ['transition ', 'start_both ', 'start_prim ', 'start_prim end'])
})

test('a role whose start scripts have not all succeeded is not adopted', async (t) => {
  const world = await given(t)
  await world.script('start_prim', 'sleep 0.5; exit 1')
  await world.daemon().enter(transition('wait', 'prim'), never)
  t.is(codeOf(await world.daemon().adopt('prim')), 'E_SCRIPT_INCOMPLETE')
  t.is(codeOf(await world.daemon().adopt('wait')), 'ok')
})

test('a restarted daemon that goes another way ends the script that was running', async (t) => {
  const world = await given(t)
  await world.script('start_prim', 'note; sleep 1000')
  await world.script('stop_prim', 'note')
  const first = world.daemon()
  void first.enter(transition('wait', 'prim'), never)
  t.true(await until(async () => (await world.notes()).length === 1))
  first.crash()
  t.is(codeOf(await world.daemon().leave(transition('prim', 'wait', 'stop'), never)), 'ok')
  t.deepEqual(await findMarked(markOf(world.context)), [])
  t.deepEqual(await world.notes(), ['start_prim ', 'stop_prim ', 'stop_prim '])
})

test('a script that a start script leaves in the background neither delays nor is harmed', async (t) => {
  const world = await given(t)
  await world.script('start_prim', 'sleep 1000 &')
  const startedMs = realClock.monotonicMs()
  await world.daemon().enter(transition('wait', 'prim'), never)
  t.true(realClock.monotonicMs() - startedMs < 60_000)
  t.is((await findMarked(markOf(world.context))).length, 1)
})

test('the output of each run is in a file of its own, and logging="none" keeps none', async (t) => {
  const world = await given(t)
  await world.script('start_prim', 'echo hello; echo oops >&2')
  await world.daemon().enter(transition('wait', 'prim'), never)
  const files = await readdir(world.context.directories.logs)
  t.is(files.length, 1)
  t.regex(files[0] ?? '', /^userlog_\d{4}-\d\d-\d\dT\d{6}_start_prim\.ulog$/)
  const text = await readFile(`${world.context.directories.logs}/${files[0] ?? ''}`, 'utf8')
  t.is(text, 'hello\noops\n')

  const quiet = await given(t, { logging: 'none' })
  await quiet.script('start_prim', 'echo hello')
  t.is(codeOf(await quiet.daemon().enter(transition('wait', 'prim'), never)), 'ok')
  t.deepEqual(await readdir(quiet.context.directories.logs).catch(() => []), [])
})

test('kept output is bounded in number and size, and the newest file of a script stays', (t) => {
  const name = (second: number, script: string) =>
    `userlog_2026-01-01T0000${String(second).padStart(2, '0')}_${script}.ulog`
  const many = Array.from({ length: 60 }, (_, second) => ({
    name: name(second, 'stop_prim'),
    bytes: 1,
  }))
  t.is(plannedRemovals(many, 1_000).remove.length, 60 - runsMax)
  t.true(plannedRemovals(many, 1_000).remove.includes(name(0, 'stop_prim')))
  const large = [
    { name: name(1, 'start_prim'), bytes: 5_000 },
    { name: name(2, 'stop_prim'), bytes: 10 },
    { name: name(3, 'stop_prim'), bytes: 995 },
  ]
  t.deepEqual(plannedRemovals(large, 1_000), {
    remove: [name(2, 'stop_prim')],
    empty: [name(1, 'start_prim')],
  })
})

test('the check names each script that can not run, and why', async (t) => {
  const world = await given(t, {
    var: [
      { name: 'A', value: '1' },
      { name: 'A', value: '2' },
      { name: 'SAFEBIN', value: 'x' },
    ],
  })
  await world.script('start_prim', '', 0o644)
  await world.script('start_both', '')
  await world.script('start_both.sh', '')
  await world.script('stop_both', '')
  await world.script('start_primary', '')
  const { errors, warnings } = await check(world.config, world.context)
  const text = errors.map(({ path, message }) => `${path} ${message}`).join('\n')
  t.regex(text, /\/user\/var\/1\/name A is written twice/)
  t.regex(text, /\/user\/var\/2\/name SAFEBIN: names that begin with/)
  t.regex(text, /start_prim is not executable: chmod \+x it/)
  t.regex(text, /both start_both and start_both\.sh/)
  t.is(errors.length, 4)
  t.regex(warnings.map(({ message }) => message).join('\n'), /no stop_prim[^]*start_primary/)
})

test('the check finds interpreters that are missing and Windows line ends', async (t) => {
  const world = await given(t)
  const bin = `${world.context.directories.package}/bin`
  const { writeFile } = await import('node:fs/promises')
  await writeFile(`${bin}/prestart`, '#!/no/such/shell\n', { mode: 0o755 })
  await writeFile(`${bin}/poststop`, '#!/usr/bin/env no-such-tool\n', { mode: 0o755 })
  await writeFile(`${bin}/transition`, '#!/bin/sh\r\necho\r\n', { mode: 0o755 })
  const { errors, warnings } = await check(world.config, world.context)
  t.regex(warnings.map(({ message }) => message).join(), /^bin has no script that starts anything/)
  t.deepEqual(
    errors.map(({ message }) => message.replace(/ \(.*\)/, '')),
    [
      'bin/prestart: its interpreter /no/such/shell does not exist on this node',
      'bin/poststop: its interpreter no-such-tool is not on the path',
      "bin/transition has Windows line ends; convert it in the module's sources: sed -i 's/\\r$//' transition",
    ],
  )
})

test('a program of another plugin starts, survives the daemon, and its failed stop is no stop', async (t) => {
  const call = (word: string) => ({
    ...{ args: [word], timeoutMs: 5_000, environment: { AGENT_SAYS: word } },
  })
  const world = await given(t, {}, (bin) => [
    {
      ...{ name: 'ocf_web', suite: 'prim', order: 0, path: `${bin}/web` },
      ...{ start: call('start'), stop: call('stop') },
    },
  ])
  await world.script('start_prim', 'note runs')
  await world.script(
    'web',
    'note begin; while [ ! -e go ]; do sleep 0.02; done; note $1 $AGENT_SAYS; [ ! -e bad ]',
  )
  const first = world.daemon()
  void first.enter(transition('wait', 'prim'), never)
  t.true(await until(async () => (await world.notes()).includes('web begin')))
  first.crash()
  const second = world.daemon()
  const adopted = second.adopt('prim')
  await world.script('go', '')
  t.is(codeOf(await adopted), 'ok')
  t.deepEqual(await world.notes(), ['start_prim runs', 'web begin', 'web start start'])
  await world.script('bad', '')
  const verdict = await second.leave(transition('prim', 'wait', 'stop'), never)
  t.is(codeOf(verdict), 'E_SCRIPT_STOP_FAILED')
  t.is(codeOf(await world.daemon().adopt('prim')), 'E_SCRIPT_INCOMPLETE')
})
