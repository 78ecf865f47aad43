/** Plugins that are processes, after they became active: what each way of going wrong costs, and whom. */
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  checker,
  clock,
  type LogEntry,
  log,
  moduleContext,
  type PluginManifest,
  resource,
  type Transition,
} from '@holdfast/sdk'
import { TestClock } from '@holdfast/sdk/testing'
import test, { type ExecutionContext } from 'ava'
import { PluginSet, type PluginStatus } from '../lifecycle.js'
import { processPlugin } from './definition.js'

const patienceMs = 20_000

const manifest: PluginManifest = {
  ...{ id: 'bell', version: '1.0.0', engines: { holdfast: '^0.1.0' }, scope: 'module' },
  ...{ entry: 'main', platforms: ['linux'], process: true, needs: [], provides: [], config: {} },
  ...{ contributes: ['point.checker', 'point.resource'], requires: {}, conflicts: [] },
  ...{ capabilities: [], startTimeoutMs: 60_000, stopTimeoutMs: 1_000 },
}

interface Stage {
  readonly clock: TestClock
  readonly directory: string
  readonly set: PluginSet
  readonly statuses: PluginStatus[]
  /** `value cause`, as the checker said them. */
  readonly said: string[]
  /** Texts of the plugin's log with this event. */
  texts(event: string): readonly string[]
  apply(): ReturnType<PluginSet['apply']>
}

/** `body` sees `message` and says things: `say({…})`. */
async function stage(t: ExecutionContext, body: string): Promise<Stage> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-process-'))
  const entry = join(directory, 'main')
  await writeFile(
    entry,
    `#!${process.execPath}
    const fs = require('node:fs')
    const say = (message) => fs.writeSync(1, JSON.stringify(message) + '\\n')
    const ready = () => say({ kind: 'ready', protocol: 1, checkers: [{ name: 'bell.x', when: 'prim' }], resources: [{ id: 'bell', order: 5 }] })
    const up = (cause) => say({ kind: 'value', checker: 'bell.x', value: 'up', cause })
    require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
      const message = JSON.parse(line)
      ${body}
    })`,
  )
  await chmod(entry, 0o755)
  const entries: Pick<LogEntry, 'event' | 'fields'>[] = []
  const statuses: PluginStatus[] = []
  const testClock = new TestClock()
  const services = new Map<string, unknown>([
    [clock.id, testClock],
    [
      log.id,
      {
        write: (_: string, event: string, fields = {}) => {
          entries.push({ event, fields })
        },
      },
    ],
    [moduleContext.id, { name: 'app', id: 1, node: 'n1', nodes: ['n1'] }],
  ])
  const set = new PluginSet({
    ...{ clock: testClock, services: () => services },
    load: (source) => Promise.resolve(processPlugin(source)),
    onStatus: (status) => statuses.push(status),
  })
  t.teardown(async () => {
    const stopping = set.stop()
    await testClock.pass(manifest.stopTimeoutMs)
    await stopping
    await rm(directory, { recursive: true })
  })
  const source = { manifest, directory, trust: { kind: 'signed', by: 'acme' } } as const
  return {
    ...{ clock: testClock, directory, set, statuses, said: [] },
    texts: (event) =>
      entries.flatMap((one) => (one.event === event ? [String(one.fields['text'])] : [])),
    apply: () => set.apply([{ source, config: {} }]),
  }
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const end = Date.now() + patienceMs
  while (!holds()) {
    if (Date.now() > end) throw new Error(`not within ${String(patienceMs)} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

async function watch(one: Stage): Promise<void> {
  const [bell] = one.set.contributions(checker)
  await bell?.start((value, cause) => one.said.push(`${value} ${cause}`))
}

const transition: Transition = {
  ...{ from: 'alone', to: 'prim', action: 'start', cause: 'test', generation: '1:n1' },
}

const startOf = "if (message.kind === 'start') ready()"

test('a process that dies is started again after a pause that grows, and after the fifth time no more before the next change', async (t) => {
  const one = await stage(
    t,
    `${startOf}; if (message.kind === 'watch') { up('run'); process.exit(3) }`,
  )
  t.true((await one.apply()).ok)
  await watch(one)
  for (const [again, delayMs] of [1_000, 2_000, 4_000, 8_000, 16_000].entries()) {
    await until('it ended', () => one.texts('pluginProcessEnded').length === again + 1)
    await one.clock.pass(delayMs - 1)
    t.is(one.said.filter((text) => text === 'up run').length, again + 1)
    await one.clock.pass(1)
    await until(
      'it runs again',
      () => one.said.filter((text) => text === 'up run').length > again + 1,
    )
  }
  await until('it is given up', () => one.statuses.at(-1)?.state === 'failed')
  const { failure } = one.statuses.at(-1) ?? {}
  t.is(failure?.code, 'E_PLUGIN_LOST')
  t.regex(failure?.reason ?? '', /^plugin bell: its process ended 6 times.*it ended with 3$/)
  t.is(one.said.at(-1), 'unknown plugin bell: it ended with 3')
  // The same plan, and yet not the same instance.
  t.true((await one.apply()).ok)
  t.is(one.statuses.at(-1)?.state, 'active')
})

test('whoever waits for a process that dies is told, and so is whoever asks a dead one', async (t) => {
  const one = await stage(t, `${startOf}; if (message.kind === 'enter') process.exit(4)`)
  await one.apply()
  const [bell] = one.set.contributions(resource)
  const enter = () => bell?.enter(transition, new AbortController().signal)
  const verdict = await enter()
  t.like(verdict, {
    ...{ ok: false, code: 'E_PLUGIN_PROCESS' },
    reason: 'the process of plugin bell is gone: it ended with 4',
  })
  t.like(await enter(), { reason: 'the process of plugin bell does not run' })
})

test('a process that hangs answers no call, is told that nobody waits, and is ended when it shall stop', async (t) => {
  const hang =
    "if (message.kind === 'enter') { up('hangs'); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0) }"
  const one = await stage(
    t,
    `${startOf}; if (message.kind === 'watch') up(String(process.pid)); ${hang}`,
  )
  await one.apply()
  await watch(one)
  await until('it said its process', () => one.said.length > 0)
  const pid = one.said[0]?.split(' ')[1] ?? ''
  const [bell] = one.set.contributions(resource)
  const answer = bell?.enter(transition, AbortSignal.timeout(60_000))
  await until('it hangs', () => one.said.includes('up hangs'))
  const stopping = one.set.stop()
  await one.clock.pass(manifest.stopTimeoutMs * 0.8)
  t.true((await stopping).ok)
  t.like(await answer, {
    ok: false,
    reason: 'the process of plugin bell is gone: it did not stop in time',
  })
  await until('its process is gone', () => !existsSync(`/proc/${pid}`))
})

test('what floods later is ended and started again, and the log keeps only a part', async (t) => {
  const flood = `for (let n = 0; n < 5000; n++) up('x'); for (let n = 0; n < 5000; n++) process.stderr.write('noise\\n')`
  const one = await stage(t, `${startOf}; if (message.kind === 'watch') { ${flood} }`)
  await one.apply()
  await watch(one)
  await until('it ended', () => one.texts('pluginProcessEnded').length > 0)
  t.regex(one.texts('pluginProcessEnded')[0] ?? '', /it writes more than 100 lines a second/)
  t.true(one.said.length <= 1_001)
  t.true(one.texts('pluginSaid').length <= 1_000)
})

test('no process gets more memory from the kernel than its limit, however quickly it asks', async (t) => {
  const hungry = `try { globalThis.all = Buffer.alloc(2 ** 30, 1) } catch (error) { up(error.message) }`
  const one = await stage(t, `${startOf}; if (message.kind === 'watch') { ${hungry} }`)
  await one.apply()
  await watch(one)
  await until('it was refused', () => one.said.length > 0)
  t.is(one.said[0], 'up Array buffer allocation failed')
})

test('what a process has started ends with it', async (t) => {
  const start = `const { pid } = require('node:child_process').spawn('sleep', ['1000'], { stdio: 'inherit' })
    fs.writeFileSync(process.argv[1] + '.pid', String(pid)); process.exit(0)`
  const one = await stage(t, `${startOf}; if (message.kind === 'watch') { ${start} }`)
  await one.apply()
  await watch(one)
  await until('it ended', () => one.texts('pluginProcessEnded').length > 0)
  const pid = await readFile(join(one.directory, 'main.pid'), 'utf8')
  await until('its child is gone', () => !existsSync(`/proc/${pid}`))
  t.regex(pid, /^\d+$/)
})
