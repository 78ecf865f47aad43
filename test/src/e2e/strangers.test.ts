/** Who does not belong here: a node of another cluster, a program on our port. Named, kept out, and nothing changes. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { clusterXml, ledger, type Product, until } from '@holdfast/lab'
import { patienceMs, withPair } from './given.js'
import { facts, refuses, wipe } from './refusal.js'

interface LogAnswer {
  readonly entries: readonly {
    readonly event: string
    readonly fields: Readonly<Record<string, unknown>>
  }[]
}

interface ClusterAnswer {
  readonly nodes: readonly { readonly node: string; readonly connected: boolean }[]
}

test('a node with the certificate of another cluster is not heard, not connected and not obeyed', async (t) => {
  await withPair(t, {}, async (pair) => {
    const { n1, n2 } = pair
    await pair.order(n1, 'prim')
    await pair.is(n1, 'ALONE Ready')
    await wipe(n2)
    const file = join(n2.host.directory, 'cluster.xml')
    await writeFile(file, clusterXml(pair.lab.spec))
    await n2.mustRun(['cluster', 'init', '--node', 'n2', file])
    // The same names and addresses, other keys: both sides have to say no.
    for (const node of [n1, n2]) await hasNoted(node, 'heartbeatRefused')
    // n1 is the one that dials.
    await hasNoted(n1, 'peerNotReached', /certificate/)
    await hasNoted(n2, 'connectionRefused')
    t.deepEqual(await connected(n1), [])
    t.deepEqual(await connected(n2), [])
    const order = await n2.run(['stop', '-m', ledger.name, '-H', 'n1'])
    t.not(order.code, 0)
    await pair.is(n1, 'ALONE Ready')
    t.is((await pair.runners()).length, 1)
  })
})

test('a port that another program has is named, and nothing changes until it is free', async (t) => {
  await withPair(t, {}, async (pair) => {
    const { n1, n2 } = pair
    const before = await facts(pair)
    const replication = await occupy(n2, 5600)
    const config = ['module', 'config', ledger.name]
    await refuses(t, 'replication port', n1, config, /n2.*5600|5600.*n2/s)
    t.deepEqual(await facts(pair), before)
    await replication.free()
    await n1.mustRun(config)

    await wipe(n2)
    const invitation = await n1.mustRun(['cluster', 'invite', 'n2'])
    const token = /HF1-[A-Za-z0-9_-]+/.exec(invitation)?.[0] ?? ''
    const cluster = await occupy(n2, 4800)
    await refuses(t, 'cluster port', n2, ['cluster', 'join', '-'], /4800.*in use/s, `${token}\n`)
    await cluster.free()
    await n2.mustRun(['cluster', 'join', '-'], { input: `${token}\n` })
    await n2.waitForCluster(2)
  })
})

async function hasNoted(node: Product, event: string, cause = /(?:)/): Promise<void> {
  await until(
    `${event} in the log of ${node.host.name}`,
    async () => {
      // The API validates its answers against its own schema.
      const log = (await node.tryGet('/log?limit=1000&verbose=true')) as LogAnswer | undefined
      const found = log?.entries.some(
        (entry) => entry.event === event && cause.test(String(entry.fields['cause'])),
      )
      return found === true ? true : undefined
    },
    { timeoutMs: patienceMs, everyMs: 100 },
  )
}

/** The other nodes that it is connected to: of itself it says so always. */
async function connected(node: Product): Promise<readonly string[]> {
  // The API validates its answers against its own schema.
  const answer = (await node.tryGet('/cluster')) as ClusterAnswer
  const { name } = node.host
  return answer.nodes.filter((one) => one.connected && one.node !== name).map((one) => one.node)
}

/** Another program listens on the port, until it is freed. */
async function occupy(node: Product, port: number): Promise<{ free: () => Promise<void> }> {
  const mark = `occupied-${port}`
  const listen = `require('net').createServer().listen(${port}, '::') // ${mark}`
  await node.host.start([process.execPath, '-e', listen], { log: 'occupied' })
  const listening = async (): Promise<boolean> => {
    const sockets = await node.host.mustRun(['ss', '-Hltn', `sport = :${port}`])
    return sockets.trim() !== ''
  }
  const wait = (wanted: boolean): Promise<boolean> =>
    until(
      `port ${port} is ${wanted ? 'taken' : 'free'}`,
      async () => ((await listening()) === wanted ? true : undefined),
      { timeoutMs: patienceMs },
    )
  await wait(true)
  return {
    free: async () => {
      for (const pid of await node.host.processes(new RegExp(mark))) process.kill(pid)
      await wait(false)
    },
  }
}
