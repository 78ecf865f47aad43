import { existsSync } from 'node:fs'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { checker, moduleScripts } from '@holdfast/sdk'
import { really, startPlugin, TestExec } from '@holdfast/sdk/testing'
import test, { type ExecutionContext } from 'ava'
import { plugin } from './index.js'
import { argumentsOf, type CustomEntry, problemsOf } from './settings.js'

const entry = (more: Partial<CustomEntry> = {}): CustomEntry => ({
  ...{ ident: 'x', when: 'prim', exec: 'probe', arg: '', mode: 'loop' },
  ...{ interval: 10, timeout: 5, retries: 0, up: '0', unknown: '', ...more },
})

async function given(t: ExecutionContext, own: Partial<CustomEntry>) {
  const exec = new TestExec()
  exec.answer = really()
  const config = { check: { custom: [entry(own)] } }
  const scripts = { variables: { QUEUE: 'mail' }, addToRestart: () => () => undefined }
  const provided = { [moduleScripts.id]: scripts }
  const host = await startPlugin(plugin, { config, services: { exec }, provided })
  const one = host.contribution(checker, 'custom.x')
  const said: string[] = []
  const bin = join(host.module.directories.package, 'bin')
  t.teardown(async () => {
    await one.stop()
    if (host.clock.pending > 0) throw new Error('timers are left')
    await host.stop()
  })
  /** Real programs take real time; this is how long a slow machine may need. */
  const until = async <T>(what: string, look: () => Promise<T | undefined> | T | undefined) => {
    for (let turn = 0; turn < 1_000; turn++) {
      const found = await look()
      if (found !== undefined) return found
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    throw new Error(`waited in vain for ${what}; it said ${said.join(' | ')}`)
  }
  return {
    ...{ host, one, said, bin, until },
    begin: () => one.start((value, cause) => said.push(`${value}: ${cause}`)),
    program: async (text: string): Promise<void> => {
      await writeFile(join(bin, 'probe'), `#!/bin/sh\n${text}\n`)
      await chmod(join(bin, 'probe'), 0o755)
    },
    file: (name: string) =>
      until(name, async () => {
        const path = join(bin, name)
        const text = existsSync(path) ? await readFile(path, 'utf8') : ''
        return text.endsWith('\n') ? text.trim() : undefined
      }),
    says: (text: RegExp) => until(String(text), () => said.find((one) => text.test(one))),
  }
}

const isThere = (pid: string): boolean => existsSync(`/proc/${pid}`)

test('a loop gets module, resource, arguments and the variables of the scripts, and it and what it started are gone after stop', async (t) => {
  const world = await given(t, { arg: 'a "b c"' })
  await world.program('sleep 86405 & echo "$@ $HOLDFAST_RESOURCE $QUEUE $$ $!" >all; wait')
  await world.begin()
  const words = (await world.file('all')).split(' ')
  t.deepEqual(words.slice(0, 7), ['test', 'custom.x', 'a', 'b', 'c', 'custom.x', 'mail'])
  const [program = '', child = ''] = words.slice(-2)
  t.true(isThere(program))
  await world.one.stop()
  await world.until('the end of both', () =>
    isThere(program) || isThere(child) ? undefined : true,
  )
  t.deepEqual(world.said, [])
})

test('a loop that dies is named and started again, later each time', async (t) => {
  const world = await given(t, {})
  await world.program('echo $$ >>runs; echo broken >&2; exit 3')
  await world.begin()
  const cause = await world.says(/started again in 1 s/)
  t.is(cause, 'unknown: its program ended with 3: broken; it is started again in 1 s')
  await world.host.clock.pass(1_000)
  await world.says(/started again in 2 s/)
  await world.host.clock.pass(2_000)
  await world.says(/started again in 4 s/)
  t.is((await world.file('runs')).split('\n').length, 3)
  t.true(world.host.log.events.every((event) => event === 'checkerProgramEnded'))
})

test('a loop that is missing is tried again, and one that ignores the signal is killed', async (t) => {
  const world = await given(t, {})
  await world.begin()
  await world.says(/No such file/)
  await world.program("trap '' TERM; echo $$ >pid; while :; do sleep 86407; done")
  await world.host.clock.pass(1_000)
  const pid = await world.file('pid')
  const stopped = world.one.stop()
  await world.host.clock.pass(2_900)
  t.true(isThere(pid))
  await world.host.clock.pass(100)
  await stopped
  t.false(isThere(pid))
})

test('exit codes of a short program mean up, down or unknown, and its last line is the cause', async (t) => {
  const world = await given(t, { mode: 'once', up: '0 7', unknown: '9' })
  await world.program('echo first; echo fine')
  await world.begin()
  await world.says(/^up: exit code 0: fine$/)
  for (const [code, value] of [
    [7, 'up'],
    [9, 'unknown'],
    [1, 'down'],
  ] as const) {
    await world.program(`exit ${String(code)}`)
    await world.host.clock.pass(10_000)
    t.is(
      await world.says(new RegExp(`exit code ${String(code)}$`)),
      `${value}: exit code ${String(code)}`,
    )
  }
})

test('a short program that hangs is killed at its time-out and is down after its retries; one that is missing is unknown', async (t) => {
  const world = await given(t, { mode: 'once', retries: 1 })
  await world.program('exit 0')
  await world.begin()
  await world.says(/^up/)
  await world.program('echo $$ >pid; exec sleep 86409')
  await world.host.clock.pass(10_000)
  const pid = await world.file('pid')
  await world.host.clock.pass(5_000)
  t.regex(world.said.at(-1) ?? '', /^up: no answer within 5000 ms \(look 1 of 2 that failed\)/)
  await world.until('its end', () => (isThere(pid) ? undefined : true))
  await world.host.clock.pass(5_000)
  await world.host.clock.pass(5_000)
  t.regex(world.said.at(-1) ?? '', /^down: no answer within 5000 ms/)
  await writeFile(join(world.bin, 'probe'), 'no program')
  await chmod(join(world.bin, 'probe'), 0o644)
  await world.host.clock.pass(5_000)
  await world.says(/^unknown: .*EACCES/)
})

test('arguments are words and quotes, and an open quote or a code that can not be is refused', (t) => {
  t.deepEqual(argumentsOf(` a  "b c" d'e f'g $HOME '' `), ['a', 'b c', 'de fg', '$HOME', ''])
  const config = { check: { custom: [entry({ arg: `a 'b`, up: '0 300' })] } }
  t.deepEqual(
    problemsOf(config).map(({ path }) => path),
    ['/check/custom/0/arg', '/check/custom/0/up'],
  )
})
