/** The pieces of modules: macros, stores, commands, orders cut after every step. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { HoldfastError } from '@holdfast/sdk'
import test from 'ava'
import { LatePeers } from '../daemon/late-peers.js'
import { directoriesFrom } from '../files/directories.js'
import { digestOf, makePackage, readPackage } from '../packages/package.js'
import { writeSources } from './applied.js'
import { makeExec } from './exec.js'
import { layoutOf } from './layout.js'
import { type OrderExecutor, Participant, pendingFormat } from './participant.js'
import { type ModuleOrder, questionOf } from './protocol.js'
import { FileRecords } from './records.js'
import { placeInText } from '../xml/document.js'
import { openStore } from './store.js'
import { Transfers } from './transfer.js'
import { parseUserConfig } from './userconfig.js'

async function inDirectory(act: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-parts-'))
  try {
    await act(directory)
  } finally {
    await rm(directory, { recursive: true })
  }
}

test('macros expand in attributes and text, also earlier macros in later ones, and a lone percent stays', (t) => {
  const { service } = parseUserConfig(
    `<safe><macro name="A" value="1"/><macro name="B" value="%A%2"/>
     <service x="%B%3 100% %%"><y>%A%</y></service></safe>`,
    'f',
  )
  t.is(service.attributes[0]?.value, '123 100% %%')
  t.is(service.children[0]?.text, '1')
})

test('a place in a text that uses macros is the place in the file', (t) => {
  const text = `<safe><macro name="A" value="long%"/><service><x>
  %A% P %A%
 Q</x></service></safe>`
  const [x] = parseUserConfig(text, 'f').service.children
  const content = x?.text ?? ''
  const placeOf = (letter: string): unknown =>
    x === undefined ? undefined : placeInText(x, content.indexOf(letter))
  t.deepEqual(placeOf('l'), { line: 2, column: 3 })
  t.deepEqual(placeOf('P'), { line: 2, column: 7 })
  t.deepEqual(placeOf('Q'), { line: 3, column: 2 })
})

test('macros that multiply are stopped before they fill the memory', (t) => {
  const macros = Array.from({ length: 60 }, (_, n) => {
    const before = n === 0 ? 'xxxxxxxxxx' : `%M${String(n - 1)}%%M${String(n - 1)}%`
    return `<macro name="M${String(n)}" value="${before}"/>`
  })
  const text = `<safe>${macros.join('')}<service/></safe>`
  const error = t.throws(() => parseUserConfig(text, 'f'), { instanceOf: HoldfastError })
  t.regex(error.message, /more than 65536 characters/)
})

test('the frame of a userconfig.xml is checked with places', (t) => {
  const text = `<safe a="1"><macro name="A"/><macro name="B" value=""/>
<macro name="B" value=""/><service/><service/><other/></safe>`
  const error = t.throws(() => parseUserConfig(text, 'f'), { instanceOf: HoldfastError })
  t.deepEqual(error.message.split('\n'), [
    'f:1:7: unknown attribute "a" in <safe>',
    'f:1:13: <macro> must have the attributes name and value, and nothing else',
    'f:2:1: the macro B is defined twice',
    'f:2:37: <service> is allowed only once in <safe>',
    'f:2:47: unknown element <other> in <safe>; allowed: macro, service',
  ])
})

test('a store keeps the last write, forgets the volatile part after a reboot, and refuses damage', async (t) => {
  await inDirectory(async (directory) => {
    const options = { directory: join(directory, 'a'), volatileDirectory: join(directory, 'b') }
    const store = openStore({ ...options, bootId: '1' })
    t.is(await store.read('role'), undefined)
    await Promise.all(Array.from({ length: 50 }, (_, n) => store.write('role', { n })))
    t.deepEqual(await store.read('role'), { n: 49 })
    await store.volatile.write('run', 'x')
    t.is(await store.volatile.read('run'), 'x')
    t.is(await openStore({ ...options, bootId: '2' }).volatile.read('run'), undefined)
    await store.remove('role')
    t.is(await store.read('role'), undefined)
    await writeFile(join(directory, 'a/role.json'), '{"format":')
    const damaged = await t.throwsAsync(store.read('role'), { instanceOf: HoldfastError })
    t.is(damaged.code, 'E_STATE_DAMAGED')
    await t.throwsAsync(store.write('../x', 1), { instanceOf: HoldfastError })
    await t.throwsAsync(store.write('x', undefined), { instanceOf: HoldfastError })
    await t.throwsAsync(store.write('x', 'y'.repeat(1_100_000)), { instanceOf: HoldfastError })
  })
})

test('what is stored is what the value was at the call', async (t) => {
  await inDirectory(async (directory) => {
    const store = openStore({ directory, volatileDirectory: directory, bootId: '1' })
    const value = { n: 1 }
    const written = store.write('x', value)
    value.n = 2
    await written
    t.deepEqual(await store.read('x'), { n: 1 })
  })
})

test('a command gets input, environment and directory, and tells code, output and signal', async (t) => {
  const exec = makeExec()
  const script = 'cat; echo "$NAME $PWD" >&2; exit 3'
  const options = { timeoutMs: 5_000, input: 'in', env: { NAME: 'me' }, cwd: '/' }
  t.deepEqual(await exec.run('sh', ['-c', script], options), {
    code: 3,
    signal: undefined,
    timedOut: false,
    stdout: 'in',
    stderr: 'me /\n',
  })
  const killed = await exec.run('sh', ['-c', 'kill -TERM $$'], { timeoutMs: 5_000 })
  t.deepEqual([killed.code, killed.signal], [undefined, 'SIGTERM'])
})

test('a command that hangs is ended at its time-out together with its children', async (t) => {
  await inDirectory(async (directory) => {
    const file = join(directory, 'pid')
    const result = await makeExec().run('sh', ['-c', `sleep 60 & echo $! > ${file}; wait`], {
      timeoutMs: 300,
    })
    t.deepEqual([result.timedOut, result.code], [true, undefined])
    const child = (await readFile(file, 'utf8')).trim()
    // Killed means ended a moment later; whether it is reaped then is the business of pid 1.
    const hasEnded = async (): Promise<boolean> =>
      /\bZ\b/.test(await readFile(`/proc/${child}/stat`, 'utf8').catch(() => 'gone Z'))
    for (let look = 0; look < 500 && !(await hasEnded()); look++) await delay(10)
    t.true(await hasEnded())
  })
})

test('endless output is cut at 1 MiB, and a missing command has a code', async (t) => {
  const exec = makeExec()
  const much = await exec.run('sh', ['-c', 'head -c 3000000 /dev/zero'], { timeoutMs: 5_000 })
  t.is(much.stdout.length, 1024 * 1024)
  const error = await t.throwsAsync(exec.run('no-such-command', [], { timeoutMs: 1_000 }), {
    instanceOf: HoldfastError,
  })
  t.is(error.code, 'E_EXEC_START')
  const aborted = new AbortController()
  const running = exec.run('sleep', ['60'], { timeoutMs: 60_000, signal: aborted.signal })
  aborted.abort()
  t.is((await running).signal, 'SIGKILL')
})

const order: ModuleOrder = {
  kind: 'config',
  name: 'app',
  id: 1,
  nodes: ['n1'],
  digest: '',
  file: 'f',
}

test('an order that is cut after any step of its application is completed after the restart', async (t) => {
  for (let cutAt = 0; cutAt < 4; cutAt++) {
    await inDirectory(async (directory) => {
      let calls = 0
      const applied: string[] = []
      const step = (name: string) => (): Promise<void> => {
        if (calls++ === cutAt) throw new Error('power cut')
        applied.push(name)
        return Promise.resolve()
      }
      const executor: OrderExecutor = {
        verify: () => Promise.resolve({ findings: [], warnings: [] }),
        stage: step('stage'),
        apply: async () => {
          await step('first half')()
          await step('second half')()
        },
        discard: step('discard'),
      }
      const pending = { transaction: 't-1', coordinator: 'n1', order }
      const run = async (): Promise<void> => {
        const participant = new Participant(new FileRecords(directory, pendingFormat), executor)
        await participant.open()
        if (!participant.isPending('app')) await participant.prepare(pending, undefined)
        await participant.decide('t-1', 'committed')
        t.false(participant.isPending('app'))
      }
      if (cutAt < 3) await t.throwsAsync(run(), { message: 'power cut' })
      await run()
      t.deepEqual(applied.slice(-2), ['first half', 'second half'])
    })
  }
})

test('sources that are written from two sides at once are one of them, whole', async (t) => {
  await inDirectory(async (directory) => {
    const layout = layoutOf(directoriesFrom({ HOLDFAST_ROOT: directory }), 'app')
    const versions = ['a', 'b', 'c'].map((version) =>
      makePackage(
        ['conf/userconfig.xml', 'bin/start_prim', 'bin/stop_prim'].map((path) => ({
          path,
          isExecutable: false,
          data: Buffer.from(`${path} ${version}`),
        })),
        'the test',
      ),
    )
    await Promise.all(versions.map((sources) => writeSources(layout, sources)))
    const found = digestOf(await readPackage(layout.sources))
    t.true(versions.some((sources) => digestOf(sources) === found))
  })
})

test('only one order for a module at a time is prepared', async (t) => {
  await inDirectory(async (directory) => {
    const executor: OrderExecutor = {
      verify: () => Promise.resolve({ findings: [], warnings: [] }),
      stage: () => Promise.resolve(),
      apply: () => Promise.resolve(),
      discard: () => Promise.resolve(),
    }
    const participant = new Participant(new FileRecords(directory, pendingFormat), executor)
    await participant.open()
    const first = participant.prepare({ transaction: 'a', coordinator: 'n1', order }, undefined)
    const second = participant.prepare({ transaction: 'b', coordinator: 'n2', order }, undefined)
    const error = await t.throwsAsync(second, { instanceOf: HoldfastError })
    t.is(error.code, 'E_MODULE_BUSY')
    await first
    await participant.decide('b', 'committed') // Unknown: nothing to do.
    t.true(participant.isPending('app'))
    await participant.decide('a', 'aborted')
    t.false(participant.isPending('app'))
  })
})

const malformed: readonly unknown[] = [
  undefined,
  null,
  'identities',
  {},
  { kind: 'reserve', name: '../x', id: 1 },
  { kind: 'reserve', name: 'x', id: 65 },
  { kind: 'part', transaction: 't', index: 0, count: 1e9, data: '' },
  { kind: 'prepare', transaction: 't', order: { ...order, name: '/etc' } },
  { kind: 'prepare', transaction: 't', order: { ...order, nodes: [] } },
]

test('malformed questions from a node of another version are refused', (t) => {
  for (const message of malformed) {
    const error = t.throws(() => questionOf(message), { instanceOf: HoldfastError })
    t.is(error.code, 'E_PROTOCOL')
  }
})

test('an incomplete or contradictory transfer is refused', async (t) => {
  const transfers = new Transfers()
  transfers.add('t', { index: 0, count: 2, data: 'AA' })
  t.throws(() => {
    transfers.add('t', { index: 0, count: 3, data: 'AA' })
  })
  await t.throwsAsync(transfers.take('t'), { instanceOf: HoldfastError })
  await t.throwsAsync(transfers.take('unknown'), { instanceOf: HoldfastError })
})

test('registrations made before there is a network take effect when it comes', async (t) => {
  const late = new LatePeers('node/api', () => ['n2'])
  t.is(late.self, '')
  t.false(late.send('n2', {}))
  await t.throwsAsync(late.call('n2', {}, 10), { instanceOf: HoldfastError })
  const registered: string[] = []
  const cancelled: string[] = []
  const cancelOf = (name: string) => (): void => {
    cancelled.push(name)
  }
  const cancelMessages = late.onMessage(() => undefined)
  late.onCall(() => Promise.resolve(undefined))
  late.attach({
    peersFor: (owner) => ({
      self: 'n1',
      others: ['n2'],
      state: (node) => ({ node, lans: [], connected: true, incarnation: undefined }),
      watch: () => () => undefined,
      send: () => true,
      onMessage: () => {
        registered.push(`${owner} messages`)
        return cancelOf('messages')
      },
      call: () => Promise.resolve('answer'),
      onCall: () => {
        registered.push(`${owner} calls`)
        return cancelOf('calls')
      },
      address: () => undefined,
    }),
  })
  t.deepEqual(registered, ['node/api messages', 'node/api calls'])
  t.is(await late.call('n2', {}, 10), 'answer')
  cancelMessages()
  t.deepEqual(cancelled, ['messages'])
})
