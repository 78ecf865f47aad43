/** A LAN is lost, in one direction or in both: the nodes go on talking over the other one, as soon as heartbeats tell. */
import { setTimeout as delay } from 'node:timers/promises'
import test from 'ava'
import { monotonicMs, type Product, until } from '@holdfast/lab'
import { type Pair, patienceMs, withPair } from './given.js'

const lans = ['default', 'second']

interface Entry {
  readonly event: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** What a node logged, as it says itself or, `asked` by the other one, over their connection. */
async function log(asked: Product, of: Product): Promise<readonly Entry[] | undefined> {
  const path = `/log?node=${of.host.name}&limit=500&verbose=true`
  // The API validates its answers against its own schema.
  const answer = (await asked.tryGet(path)) as { readonly entries: readonly Entry[] } | undefined
  return answer?.entries
}

async function fieldsOf(node: Product, event: string): Promise<readonly Entry['fields'][]> {
  const entries = (await log(node, node)) ?? []
  return entries.filter((entry) => entry.event === event).map(({ fields }) => fields)
}

/** The LAN that carries the connection, in the eyes of `node`. */
async function lanOf(node: Product): Promise<unknown> {
  return (await fieldsOf(node, 'peerConnected')).at(-1)?.['lan']
}

async function bothLansCarry(pair: Pair): Promise<void> {
  for (const node of pair.nodes) {
    await until(
      `${node.host.name} hears the other node on both LANs`,
      async () => {
        const [up, down] = [await fieldsOf(node, 'lanUp'), await fieldsOf(node, 'lanDown')]
        return up.length - down.length === lans.length ? true : undefined
      },
      { timeoutMs: patienceMs, everyMs: 50 },
    )
  }
}

const cuts: readonly (readonly [string, (pair: Pair, lan: string) => Promise<void>])[] = [
  ['the cable of the dialler', ({ lab }, lan) => lab.network.cut({ host: 'n1', lan })],
  ['nothing from either to the other', (pair, lan) => pair.separate(lan)],
  ['nothing from the dialler', ({ lab }, lan) => lab.network.lose(lossOf('n1', 'n2', lan))],
  ['nothing from the listener', ({ lab }, lan) => lab.network.lose(lossOf('n2', 'n1', lan))],
]

function lossOf(from: string, to: string, lan: string) {
  return { from, to, lan, percent: 100 }
}

test('a LAN that is lost in one direction or in both is left by both nodes before their connection is silent', async (t) => {
  await withPair(t, { module: false, lans }, async (pair) => {
    const { n1, n2 } = pair
    for (const [what, cut] of cuts) {
      await bothLansCarry(pair)
      const used = String(await lanOf(n1))
      const lost = await Promise.all(pair.nodes.map((node) => fieldsOf(node, 'peerDisconnected')))
      await cut(pair, used)
      const cutMs = monotonicMs()
      for (const [asked, of] of [[n1, n2] as const, [n2, n1] as const]) {
        await until(
          `${asked.host.name} is answered over the other LAN`,
          async () => {
            const entries = await log(asked, of)
            return entries !== undefined && (await lanOf(asked)) !== used ? true : undefined
          },
          { timeoutMs: patienceMs, everyMs: 20 },
        )
      }
      t.log(`${what}: answered ${Math.round(monotonicMs() - cutMs)} ms after the cut`)
      for (const [index, node] of pair.nodes.entries()) {
        const since = (await fieldsOf(node, 'peerDisconnected')).slice(lost[index]?.length)
        t.is(since.length, 1, what)
        t.notRegex(String(since[0]?.['cause']), /silent/, what)
      }
      await pair.lab.network.endLosses()
      await pair.lab.network.heal({ host: 'n1', lan: used })
    }
  })
})

test('a node that stands still, and goes on, is no reason to leave a LAN', async (t) => {
  await withPair(t, { module: false, lans }, async (pair) => {
    for (const frozen of pair.nodes) {
      await bothLansCarry(pair)
      await frozen.host.freeze()
      // Longer than the heartbeats of a LAN may stay away, shorter than a connection may be silent.
      await delay(2_500)
      await frozen.host.thaw()
      for (const node of pair.nodes) await node.waitForCluster(2)
      await bothLansCarry(pair)
    }
    for (const node of pair.nodes) {
      const causes = (await fieldsOf(node, 'peerDisconnected')).map(({ cause }) => String(cause))
      t.deepEqual(
        causes.filter((cause) => /heartbeats/.test(cause)),
        [],
      )
    }
  })
})
