/** The machine goes down: by the unit that systemd stops first, and by a power cut of both at once. */
import { readFile } from 'node:fs/promises'
import test from 'ava'
import { monotonicMs, type Product } from '@holdfast/lab'
import { withPair } from './given.js'

const unit = new URL('../../../packaging/holdfast-shutdown.service', import.meta.url)

/** The words of `ExecStop=`, as systemd runs them; the command is where the lab has it. */
async function shutDown(node: Product): Promise<void> {
  const text = await readFile(unit, 'utf8')
  const script = /^ExecStop=\/bin\/sh -c '(.*)'$/m.exec(text)?.[1] ?? ''
  // systemd writes one dollar for two.
  const command = script.replaceAll('$$', '$').replaceAll('/usr/bin/holdfast', 'holdfast')
  await node.host.mustRun(['sh', '-c', command], {
    env: { PATH: `/run/bin:${process.env['PATH'] ?? ''}` },
    timeoutMs: 60_000,
  })
}

test('a machine that is shut down hands over at once, without waiting for a time-out', async (t) => {
  await withPair(t, { timeout: '30s' }, async (pair) => {
    await pair.serves()
    const orderedMs = monotonicMs()
    await shutDown(pair.n1)
    t.is(await pair.n1.state('ledger'), 'STOP NotReady')
    const takeoverMs = await pair.answeredBy(pair.n2, orderedMs)
    t.log(`takeover ${Math.round(takeoverMs)} ms`)
    t.true(takeoverMs < 25_000, 'it waited for the time-out')
    await pair.n1.host.powerOff()
    await pair.clientsGoOn()
    await pair.comesBack(pair.n1)
    await pair.is(pair.n1, 'SECOND Ready')
    await pair.is(pair.n2, 'PRIM Ready')
    await pair.promisesHold(t)
  })
})

test('a module with boot="auto" that ran before a shutdown runs again after it, and one that the operator stopped does not', async (t) => {
  const edit = (xml: string): string => xml.replace('mode="mirror"', 'mode="mirror" boot="auto"')
  await withPair(t, { timeout: '1000ms', edit }, async (pair) => {
    await pair.serves()
    await shutDown(pair.n1)
    await pair.n1.host.powerOff()
    await pair.clientsGoOn()
    await pair.switchOn(pair.n1)
    await pair.is(pair.n1, 'SECOND Ready')
    await pair.order(pair.n1, 'stop')
    await pair.is(pair.n1, 'STOP NotReady')
    await pair.n1.host.powerOff()
    await pair.switchOn(pair.n1)
    await pair.is(pair.n1, 'STOP NotReady')
    await pair.order(pair.n1, 'start')
    await pair.is(pair.n1, 'SECOND Ready')
    await pair.is(pair.n2, 'PRIM Ready')
    await pair.promisesHold(t)
  })
})

test('after a power cut of both at once the pair starts by itself, with everything that was acknowledged', async (t) => {
  const edit = (xml: string): string => xml.replace('mode="mirror"', 'mode="mirror" boot="auto"')
  await withPair(t, { timeout: '1000ms', edit }, async (pair) => {
    await pair.serves()
    await Promise.all(pair.nodes.map((node) => node.host.powerOff()))
    await Promise.all(pair.nodes.map((node) => pair.switchOn(node)))
    const serving = await Promise.race(
      pair.nodes.map(async (node) => {
        await pair.is(node, 'PRIM Ready')
        return node
      }),
    )
    const other = pair.nodes.find((node) => node !== serving)
    if (other !== undefined) await pair.is(other, 'SECOND Ready')
    await pair.clientsGoOn()
    await pair.promisesHold(t)
  })
})
