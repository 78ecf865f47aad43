/** A module is upgraded on a running pair, node by node, under load: nothing is lost, and it never runs twice. */
import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RolloutView } from '@holdfast/sdk'
import { ledger, monotonicMs, until } from '@holdfast/lab'
import test from 'ava'
import { type Pair, patienceMs, withPair } from './given.js'

const { name } = ledger

/** A version of the ledger with other scripts; `change` is made to the text of `start_prim`. */
async function versionOf(
  pair: Pair,
  version: string,
  change: (script: string) => string = (script) => `${script}# ${version}\n`,
): Promise<string> {
  // As the pair installed it: beside it lies what modules share.
  const installed = join(pair.lab.host('n1').directory, 'module', name)
  const directory = `${installed}-${version}`
  await cp(installed, directory, { recursive: true })
  const manifest = join(directory, 'module.json')
  const about = await readFile(manifest, 'utf8')
  await writeFile(manifest, about.replace(/"version": "[^"]*"/, `"version": "${version}"`))
  const script = join(directory, 'bin/start_prim')
  await writeFile(script, change(await readFile(script, 'utf8')))
  return directory
}

async function versions(pair: Pair): Promise<readonly string[]> {
  return await Promise.all(
    pair.nodes.map(async (node) => {
      const modules: { name: string; version: string }[] = JSON.parse(
        await node.mustRun(['module', 'list', '--json']),
      )
      return modules.find((module) => module.name === name)?.version ?? ''
    }),
  )
}

/** Also while the daemon that leads it is dead. */
async function rolloutIs(pair: Pair, state: string): Promise<void> {
  await until(
    `the rollout is ${state}`,
    async () => {
      // The API validates its answers against its own schema.
      const view = (await pair.n1.tryGet(`/modules/${name}/rollout`)) as RolloutView | undefined
      return view?.state === state ? true : undefined
    },
    { timeoutMs: 2 * patienceMs, everyMs: 30 },
  )
}

test('an upgrade on a running pair goes node by node and costs one swap, and a rollback as well', async (t) => {
  await withPair(t, { timeout: '5s' }, async (pair) => {
    await pair.serves()
    const [before] = await versions(pair)
    const beganMs = monotonicMs()
    const said = await pair.n1.mustRun(
      ['module', 'upgrade', name, await versionOf(pair, '7.0.0')],
      { timeoutMs: 120_000 },
    )
    const steps = ['n2  stopped', 'n2  has the new configuration', 'n2  started']
    const then = ['n1  handed over to the other node', 'n1  stopped', 'n1  has', 'n1  started']
    t.regex(said, new RegExp([...steps, ...then].join('[^]*')))
    t.deepEqual(await versions(pair), ['7.0.0', '7.0.0'])
    await pair.is(pair.n2, 'PRIM Ready')
    await pair.is(pair.n1, 'SECOND Ready')
    await pair.clientsGoOn()
    const silenceMs = await pair.longestSilenceMs(beganMs)
    t.log(`the longest time without an answer: ${silenceMs.toFixed(0)} ms`)
    t.true(silenceMs < 10_000, `clients had no answer for ${silenceMs} ms`)

    await pair.n1.mustRun(['module', 'rollback', name], { timeoutMs: 120_000 })
    t.deepEqual(await versions(pair), [before, before])
    await pair.is(pair.n1, 'PRIM Ready')
    await pair.is(pair.n2, 'SECOND Ready')
    await pair.clientsGoOn()
    t.is((await pair.runners()).length, 3)
    await pair.promisesHold(t)
  })
})

test('a version that does not start where it shall serve is replaced by the one before, by itself', async (t) => {
  await withPair(t, { timeout: '5s' }, async (pair) => {
    await pair.serves()
    const [before] = await versions(pair)
    const fails = '#!/bin/sh\necho "no such option" >&2\nexit 1\n'
    const broken = await versionOf(pair, '8.0.0', () => fails)
    const beganMs = monotonicMs()
    const halted = await pair.n1.run(['module', 'upgrade', name, broken], { timeoutMs: 120_000 })
    t.is(halted.code, 1)
    t.regex(halted.stderr, /halted: swap: n2 is STOP .* all nodes have version \S+ again/)
    t.regex(halted.stderr, /next: .*holdfast module rollback ledger/)
    t.deepEqual(await versions(pair), [before, before])
    await pair.clientsGoOn()
    t.log(`without an answer for ${(await pair.longestSilenceMs(beganMs)).toFixed(0)} ms`)
    await pair.is(pair.n2, 'PRIM Ready')
    await pair.is(pair.n1, 'SECOND Ready')
    await pair.n1.mustRun(['module', 'rollback', name], { timeoutMs: 120_000 })
    await pair.promisesHold(t)
  })
})

test('an upgrade whose daemon is killed goes on by itself, and a time-out needs a stop of both', async (t) => {
  await withPair(t, { timeout: '5s' }, async (pair) => {
    await pair.serves()
    const upgrade = pair.n1.run(['module', 'upgrade', name, await versionOf(pair, '7.0.0')], {
      timeoutMs: 120_000,
    })
    await rolloutIs(pair, 'running')
    await pair.n1.killDaemon()
    await upgrade
    await rolloutIs(pair, 'done')
    t.deepEqual(await versions(pair), ['7.0.0', '7.0.0'])
    await pair.clientsGoOn()

    await pair.n2.host.mustRun([
      'sed',
      '-i',
      's/name="HEART_TIMEOUT" value="5s"/name="HEART_TIMEOUT" value="6s"/',
      `/etc/holdfast/modules/${name}/conf/userconfig.xml`,
    ])
    const refused = await pair.n2.run(['module', 'config', name, '--rolling'])
    t.regex(refused.stderr, /timeout in <heart> can't change on one node alone: .*\(--stop\)/)
    await pair.n2.mustRun(['module', 'config', name, '--stop'], { timeoutMs: 120_000 })
    await pair.is(pair.n2, 'PRIM Ready')
    await pair.is(pair.n1, 'SECOND Ready')
    await pair.clientsGoOn()
    await pair.promisesHold(t)
  })
})
