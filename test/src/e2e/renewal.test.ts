/**
 * The package is upgraded on a running pair, node by node, under load: the data planes get the new code, the application
 * is not interrupted, nothing is lost.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ModuleView } from '@holdfast/sdk'
import { Installation, ledger, monotonicMs, type Product, until } from '@holdfast/lab'
import test, { type ExecutionContext } from 'ava'
import { type Pair, patienceMs, withPair } from './given.js'

/** Another code of the data plane. Returns the daemon's program. */
async function nextVersion(pair: Pair): Promise<string> {
  const next = await Installation.make(join(pair.lab.host('n1').directory, 'next-version'))
  await next.install(1)
  return next.daemon
}

/** What `systemctl restart holdfastd` does after the installation. */
async function upgrade(node: Product, program: string): Promise<void> {
  await node.stopDaemon()
  await node.start({}, program)
}

async function onlyDataPlane(node: Product): Promise<number> {
  const [pid, ...others] = await node.dataPlanes()
  if (pid === undefined || others.length > 0) throw new Error(`no or several on ${node.host.name}`)
  return pid
}

async function runsNextVersion(node: Product, former: number): Promise<void> {
  await until(
    `the data plane of ${node.host.name} is of the next version`,
    async () => {
      const [pid] = await node.dataPlanes()
      if (pid === undefined || pid === former) return undefined
      const program = await readFile(`/proc/${String(pid)}/cmdline`, 'utf8')
      return program.includes('next-version') ? true : undefined
    },
    { timeoutMs: patienceMs },
  )
}

async function remarks(node: Product): Promise<string> {
  // The API validates its answers against its own schema.
  const view = (await node.tryGet(`/modules/${ledger.name}`)) as ModuleView | undefined
  return view?.remarks?.join() ?? ''
}

/** A pair under load on which `work` upgrades the package; afterwards both run the next version, and nobody has noticed. */
async function upgrading(
  t: ExecutionContext,
  work: (pair: Pair, program: string) => Promise<void>,
): Promise<void> {
  await withPair(t, { timeout: '1000ms' }, async (pair) => {
    await pair.serves()
    const program = await nextVersion(pair)
    const former = await Promise.all(pair.nodes.map(onlyDataPlane))
    const beganMs = monotonicMs()
    await work(pair, program)
    for (const [index, node] of pair.nodes.entries()) {
      await runsNextVersion(node, former[index] ?? 0)
    }
    await pair.is(pair.n2, 'SECOND Ready')
    await pair.is(pair.n1, 'PRIM Ready')
    await pair.clientsGoOn()
    t.deepEqual(await Promise.all(pair.nodes.map(remarks)), ['', ''])
    const silenceMs = await pair.longestSilenceMs(beganMs)
    t.log(`the longest time without an answer: ${silenceMs.toFixed(0)} ms`)
    t.true(silenceMs < 10_000, `clients had no answer for ${silenceMs} ms`)
    t.is((await pair.runners()).length, 1, 'the application was restarted')
    await pair.promisesHold(t)
  })
}

test('an upgrade of the secondary first interrupts nothing, and the one of the primary renews both data planes', async (t) => {
  await upgrading(t, async (pair, program) => {
    const former = await onlyDataPlane(pair.n2)
    await upgrade(pair.n2, program)
    await until(
      'the secondary says that it has other code',
      async () => ((await remarks(pair.n2)).includes('other code') ? true : undefined),
      { timeoutMs: patienceMs },
    )
    await pair.clientsGoOn()
    await pair.is(pair.n1, 'PRIM Ready')
    t.is(await onlyDataPlane(pair.n2), former, 'it follows a primary of the former version')
    await upgrade(pair.n1, program)
  })
})

test('an upgrade of the primary first renews its data plane, and the secondary follows anew when it is upgraded', async (t) => {
  await upgrading(t, async (pair, program) => {
    const [first, second] = [await onlyDataPlane(pair.n1), await onlyDataPlane(pair.n2)]
    await upgrade(pair.n1, program)
    await runsNextVersion(pair.n1, first)
    await pair.is(pair.n1, 'PRIM Ready')
    await pair.clientsGoOn()
    t.is(await onlyDataPlane(pair.n2), second)
    await upgrade(pair.n2, program)
  })
})

test('an upgrade of both nodes at the same time interrupts nobody either', async (t) => {
  await upgrading(t, async (pair, program) => {
    await Promise.all(pair.nodes.map((node) => upgrade(node, program)))
  })
})
