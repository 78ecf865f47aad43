/** The daemon as a process: alone, twice, killed, and with plugins that are broken. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const main = fileURLToPath(new URL('../main.js', import.meta.url))

interface Run {
  readonly child: ChildProcess
  readonly output: () => string
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>
}

class Machine {
  private readonly runs: Run[] = []

  constructor(readonly root: string) {}

  start(): Run {
    const plugins = join(this.root, 'plugins')
    const child = spawn(process.execPath, [main], {
      env: { ...process.env, HOLDFAST_ROOT: this.root, HOLDFAST_PLUGINS: plugins },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let text = ''
    const add = (chunk: Buffer): void => {
      text += chunk.toString()
    }
    child.stdout.on('data', add)
    child.stderr.on('data', add)
    const ended = once(child, 'close').then(() => child.exitCode ?? child.signalCode ?? '')
    const run = { child, output: () => text, ended }
    this.runs.push(run)
    return run
  }

  /** Returns when the output has `word`, or the process has ended. */
  async saw(run: Run, word: string): Promise<string> {
    while (!run.output().includes(word)) {
      const chunk = Promise.race([
        once(run.child.stdout ?? run.child, 'data'),
        once(run.child.stderr ?? run.child, 'data'),
        run.ended,
      ])
      await chunk
      if (run.child.exitCode !== null && !run.output().includes(word)) break
    }
    return run.output()
  }

  async plugin(id: string, manifest: object, entry: string): Promise<void> {
    const directory = join(this.root, 'plugins', id)
    await mkdir(directory, { recursive: true })
    await writeFile(join(directory, 'plugin.json'), JSON.stringify({ ...base, id, ...manifest }))
    await writeFile(join(directory, 'index.mjs'), entry)
  }

  async end(): Promise<void> {
    for (const { child, ended } of this.runs) {
      child.kill('SIGKILL')
      await ended
    }
  }
}

const base = {
  version: '1.0.0',
  engines: { holdfast: '^0.1.0' },
  entry: 'index.mjs',
  scope: 'node',
  platforms: ['linux'],
  needs: [],
  provides: [],
  contributes: [],
  requires: {},
  conflicts: [],
  capabilities: [],
  config: {
    type: 'object',
    additionalProperties: false,
    properties: { n: { type: 'integer', default: 7 } },
  },
  startTimeoutMs: 1_000,
  stopTimeoutMs: 1_000,
}

const speaking = `
  const t = (id) => ({ kind: 'token', id })
  export const plugin = {
    needs: { log: t('core.log'), control: t('core.control') },
    activate({ log, control }, config, scope) {
      log.write('event', 'spoke', { n: config.n, cluster: control.cluster().cluster ?? 'none' })
      scope.onStop(() => log.write('event', 'fellSilent'))
    },
  }`
const speaks = { needs: ['core.control', 'core.log'] }

async function onMachine(act: (machine: Machine) => Promise<void>): Promise<void> {
  const machine = new Machine(await mkdtemp(join(tmpdir(), 'holdfast-daemon-')))
  try {
    await act(machine)
  } finally {
    await machine.end()
    await rm(machine.root, { recursive: true })
  }
}

test('it starts without a cluster, serves the plugins of the node, and ends with 0 on SIGTERM', async (t) => {
  await onMachine(async (machine) => {
    await machine.plugin('speaker', speaks, speaking)
    const run = machine.start()
    t.regex(await machine.saw(run, 'daemonReady'), /speaker spoke n=7 cluster="none"/)
    run.child.kill('SIGTERM')
    t.is(await run.ended, 0)
    t.regex(run.output(), /fellSilent[^]*daemonStopped/)
  })
})

test('a second daemon of the same node is refused, and after a kill the next one starts', async (t) => {
  await onMachine(async (machine) => {
    const first = machine.start()
    await machine.saw(first, 'daemonReady')
    const second = machine.start()
    t.is(await second.ended, 78)
    t.regex(second.output(), /E_DAEMON_RUNNING/)
    first.child.kill('SIGKILL')
    t.is(await first.ended, 'SIGKILL')
    const third = machine.start()
    t.regex(await machine.saw(third, 'daemonReady'), /daemonReady/)
  })
})

test('plugins that are broken, fail or miss something are reported, and the others work', async (t) => {
  await onMachine(async (machine) => {
    await machine.plugin('broken', { surprise: 1 }, speaking)
    await machine.plugin(
      'failing',
      {},
      'export const plugin = { needs: {}, activate() { throw new Error("no") } }',
    )
    await machine.plugin('missing', { ...speaks, needs: ['data.nothing'] }, speaking)
    await machine.plugin('speaker', speaks, speaking)
    await mkdir(join(machine.root, 'etc/holdfast/plugins'), { recursive: true })
    await writeFile(join(machine.root, 'etc/holdfast/plugins/speaker.json'), '{"n":"many"}')
    const output = await machine.saw(machine.start(), 'daemonReady')
    t.regex(output, /critical +broken pluginRefused/)
    t.regex(output, /critical +failing pluginFailed/)
    t.regex(output, /critical +missing pluginLeftOut "token data.nothing is needed by missing/)
    t.regex(output, /critical +speaker settingsRefused/)
    t.regex(output, /speaker spoke n=7/)
  })
})

test('damaged state keeps it from starting with one clear sentence, and is left as it is', async (t) => {
  await onMachine(async (machine) => {
    const path = join(machine.root, 'var/lib/holdfast/cluster/member.json')
    await mkdir(join(path, '..'), { recursive: true })
    await writeFile(path, '{"format":')
    const run = machine.start()
    const ended = await Promise.race([run.ended, machine.saw(run, 'daemonReady')])
    t.is(ended, 78)
    t.regex(run.output(), /E_STATE_DAMAGED/)
    t.is(await readFile(path, 'utf8'), '{"format":')
  })
})
