/** Forming a cluster and agreeing on its configuration, with real sockets on loopback addresses. */
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { HoldfastError } from '@holdfast/sdk'
import test, { type ExecutionContext } from 'ava'
import { Rig, until } from './rig.fixture.js'
import { decodeToken, encodeToken } from './token.js'

function withRig(title: string, run: (t: ExecutionContext, rig: Rig) => Promise<void>): void {
  test(title, async (t) => {
    const rig = new Rig()
    try {
      await run(t, rig)
    } finally {
      await rig.remove()
    }
  })
}

function refusal(t: ExecutionContext, act: Promise<unknown>): Promise<HoldfastError> {
  return t.throwsAsync(act, { instanceOf: HoldfastError })
}

async function filesBelow(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  return entries.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name))
}

withRig(
  'init, invite and join make a cluster of two with the same configuration',
  async (t, rig) => {
    const [one, two] = await rig.cluster(['node1', 'node2'], { lans: 2 })
    t.is(two?.xml(), one?.xml())
    t.is(two?.view().cluster, one?.view().cluster)
    t.is(two?.view().self, 'node2')
    await until('all LANs are up', () =>
      [one, two].every((service) =>
        service?.view().nodes.every((node) => node.lans.every((lan) => lan.up)),
      ),
    )
    const root = await rig.root('node2')
    for (const file of await filesBelow(join(root, 'etc/holdfast/keys'))) {
      t.is((await stat(file)).mode & 0o777, 0o600, file)
    }
  },
)

withRig('a restarted node is a member again, in a later incarnation', async (t, rig) => {
  const [one] = await rig.cluster(['node1', 'node2'])
  const incarnation = () =>
    one
      ?.current()
      ?.network.peersFor('x', () => [])
      .state('node2').incarnation
  const before = incarnation()
  await rig.stop('node2')
  await until('node 2 is gone', () => one?.view().nodes[1]?.connected === false)
  await rig.start('node2')
  await until('node 2 is back', () => one?.view().nodes[1]?.connected === true)
  t.not(incarnation(), before)
  t.is(rig.logged('peerRestarted', 'node1').length, 1)
})

withRig('the secrets of a cluster appear in no log line', async (t, rig) => {
  const first = await rig.start('node1')
  const second = await rig.start('node2')
  await first.init({ xml: rig.xml(['node1', 'node2']), node: 'node1' })
  const { token } = await first.invite({ node: 'node2', ttlMs: 60_000 })
  await second.join({ token })
  const keys = join(await rig.root('node1'), 'etc/holdfast/keys')
  const secrets = [token, decodeToken(token).secret]
  for (const name of ['ca.key', 'node.key', 'heartbeat.key']) {
    secrets.push((await readFile(join(keys, name), 'utf8')).split('\n').at(1) || name)
  }
  const text = JSON.stringify(rig.lines)
  for (const secret of secrets) t.false(text.includes(secret))
})

withRig(
  'a token that is wrong, used, expired or of another cluster changes nothing',
  async (t, rig) => {
    const first = await rig.start('node1')
    const second = await rig.start('node2')
    await first.init({ xml: rig.xml(['node1', 'node2', 'node3']), node: 'node1' })
    const { token } = await first.invite({ node: 'node2', ttlMs: 60_000 })
    const good = decodeToken(token)
    const changed = (change: Partial<typeof good>) => encodeToken({ ...good, ...change })
    const cases: readonly [string, string][] = [
      ['hello', 'E_JOIN_TOKEN'],
      [token.slice(0, -9), 'E_JOIN_TOKEN'],
      [changed({ secret: '00'.repeat(32) }), 'E_JOIN_UNKNOWN'],
      [changed({ id: '00'.repeat(8) }), 'E_JOIN_UNKNOWN'],
      [changed({ node: 'node3' }), 'E_JOIN_UNKNOWN'],
      [changed({ authority: '00'.repeat(32) }), 'E_JOIN_OTHER_CLUSTER'],
      [changed({ cluster: '00'.repeat(8) }), 'E_JOIN_OTHER_CLUSTER'],
      [
        changed({ addresses: [{ host: rig.address('node9'), port: rig.port }] }),
        'E_JOIN_UNREACHABLE',
      ],
    ]
    for (const [bad, code] of cases) {
      t.is((await refusal(t, second.join({ token: bad }))).code, code)
    }
    rig.wallOffsetMs = 61_000
    t.is((await refusal(t, second.join({ token }))).code, 'E_JOIN_EXPIRED')
    rig.wallOffsetMs = 0
    t.is(second.current(), undefined)
    t.deepEqual(await filesBelow(await rig.root('node2')), [])
    t.deepEqual(first.view().nodes.filter((node) => node.connected).length, 1)

    await second.join({ token })
    const third = await rig.start('node3')
    t.is((await refusal(t, third.join({ token }))).code, 'E_JOIN_USED')
    t.deepEqual(await filesBelow(await rig.root('node3')), [])
  },
)

withRig(
  'two nodes that use one token at the same moment: only one becomes a member',
  async (t, rig) => {
    const first = await rig.start('node1')
    const [second, ghost] = [await rig.start('node2'), await rig.start('node22')]
    await first.init({ xml: rig.xml(['node1', 'node2']), node: 'node1' })
    const { token } = await first.invite({ node: 'node2', ttlMs: 60_000 })
    const outcomes = await Promise.allSettled([second.join({ token }), ghost.join({ token })])
    t.is(outcomes.filter((one) => one.status === 'fulfilled').length, 1)
  },
)

withRig(
  'a node whose port is in use does not join, and the invitation stays valid',
  async (t, rig) => {
    const first = await rig.start('node1')
    const second = await rig.start('node2')
    await first.init({ xml: rig.xml(['node1', 'node2']), node: 'node1' })
    const { token } = await first.invite({ node: 'node2', ttlMs: 60_000 })
    const other = createServer((socket) => socket.destroy())
    await new Promise<void>((resolve) => {
      other.listen({ host: rig.address('node2'), port: rig.port }, resolve)
    })
    const error = await refusal(t, second.join({ token }))
    t.is(error.code, 'E_CLUSTER_PORT')
    t.regex(error.message, /in use/)
    await new Promise((resolve) => other.close(resolve))
    await second.join({ token })
    t.is(second.view().self, 'node2')
  },
)

withRig('init refuses a node without this address, and a second cluster', async (t, rig) => {
  const first = await rig.start('node1')
  const xml = rig.xml(['node1', 'node2']).replaceAll('"127.', '"203.')
  t.is((await refusal(t, first.init({ xml, node: 'node1' }))).code, 'E_CLUSTER_PORT')
  t.is((await refusal(t, first.init({ xml, node: 'node7' }))).code, 'E_CLUSTER_NODE')
  t.deepEqual(await filesBelow(await rig.root('node1')), [])
  await first.init({ xml: rig.xml(['node1']), node: 'node1' })
  const again = first.init({ xml: rig.xml(['node1']), node: 'node1' })
  t.is((await refusal(t, again)).code, 'E_CLUSTER_MEMBER')
})

withRig(
  'a configuration reaches all nodes, and streams on LANs that stay go on',
  async (t, rig) => {
    const nodes = ['node1', 'node2', 'node3']
    const services = await rig.cluster(nodes)
    const lost = rig.logged('peerDisconnected').length
    const xml = rig.xml(nodes, { lans: 2 })
    await services[1]?.configure({ xml })
    await until('all nodes run revision 2', () =>
      services.every((service) => service.view().revision === 2 && service.xml() === xml),
    )
    await until('the new LAN is up everywhere', () =>
      services.every((service) =>
        service
          .view()
          .nodes.every((node) => node.lans.length === 2 && node.lans.every((lan) => lan.up)),
      ),
    )
    t.is(rig.logged('peerDisconnected').length, lost)
    t.is(await readFile(join(await rig.root('node3'), 'etc/holdfast/cluster.xml'), 'utf8'), xml)
  },
)

withRig('a configuration that one node refuses or cannot hear changes no node', async (t, rig) => {
  const nodes = ['node1', 'node2', 'node3']
  const [one, two, three] = await rig.cluster(nodes)
  const before = one?.xml() ?? ''
  const foreign = rig.xml(nodes, { lans: 2 }).replace(rig.address('node2', 1), '203.0.113.9')
  const refused = await refusal(t, one?.configure({ xml: foreign }) ?? Promise.resolve())
  t.is(refused.code, 'E_CLUSTER_PORT')
  t.regex(refused.message, /node2/)
  await rig.stop('node3')
  await until('node 3 is gone', () => one?.view().nodes[2]?.connected === false)
  const away = await refusal(
    t,
    one?.configure({ xml: rig.xml(nodes, { lans: 2 }) }) ?? Promise.resolve(),
  )
  t.is(away.code, 'E_CLUSTER_UNREACHABLE')
  t.deepEqual([one?.xml(), two?.xml(), one?.view().revision], [before, before, 1])
  t.is(three?.current(), undefined)
})

withRig('a node that missed a configuration fetches it when it comes back', async (t, rig) => {
  const [one, two] = await rig.cluster(['node1', 'node2', 'node3'])
  await rig.stop('node3')
  await until('node 3 is gone', () => one?.view().nodes[2]?.connected === false)
  // A removed and re-added node was away for two revisions.
  await one?.configure({ xml: rig.xml(['node1', 'node2']) })
  await one?.configure({ xml: rig.xml(['node1', 'node2', 'node3'], { pulse: '60ms' }) })
  const three = await rig.start('node3')
  await until('node 3 has revision 3', () => three.view().revision === 3)
  t.is(two?.xml(), three.xml())
})

withRig(
  'a node that is removed leaves, loses its keys, and is refused from then on',
  async (t, rig) => {
    const [one, two] = await rig.cluster(['node1', 'node2'])
    await one?.configure({ xml: rig.xml(['node1']) })
    await until('node 2 has left', () => two?.current() === undefined)
    t.is(one?.view().nodes.length, 1)
    await until('its keys are gone', () => rig.logged('clusterLeft').length === 1)
    const left = await filesBelow(join(await rig.root('node2'), 'etc/holdfast'))
    t.deepEqual(
      left.filter((file) => file.includes('keys')),
      [],
    )
  },
)

withRig(
  'a node is removed only when no module is left there, and one that is lost at any time',
  async (t, rig) => {
    // The one with the first name dials the others.
    const [, two, three] = await rig.cluster(['node1', 'node2', 'node3'])
    three?.protect((node) => (node === 'node1' ? ['web'] : []))
    const remove = (node: string): Promise<unknown> =>
      two?.remove({ node }) ?? Promise.resolve(undefined)
    const refused = await refusal(t, remove('node1'))
    t.is(refused.code, 'E_CLUSTER_IN_USE')
    t.regex(refused.message, /node3: module web is configured on node1; nothing was changed/)
    t.is((await refusal(t, remove('node2'))).code, 'E_CLUSTER_SELF')
    t.is((await refusal(t, remove('node9'))).code, 'E_CLUSTER_NODE')
    await rig.stop('node1')
    const isGone = (): boolean =>
      [two, three].every((service) => service?.view().nodes[0]?.connected === false)
    await until('node 1 is gone', isGone)
    await remove('node1')
    t.is(two?.xml(), rig.xml(['node2', 'node3']))
    t.is(three?.xml(), two?.xml())
    // It comes back with its old configuration and its certificate, and is let in by nobody.
    const one = await rig.start('node1')
    await until('both refuse it', () =>
      ['node2', 'node3'].every((node) => rig.logged('connectionRefused', node).length > 0),
    )
    t.false(one.view().nodes.some(({ node, connected }) => node !== 'node1' && connected))
  },
)

withRig('a node on which a module is left refuses to be removed itself', async (t, rig) => {
  const [one, two] = await rig.cluster(['node1', 'node2'])
  two?.protect(() => ['web'])
  const refused = await refusal(t, one?.configure({ xml: rig.xml(['node1']) }) ?? Promise.resolve())
  t.is(refused.code, 'E_CLUSTER_IN_USE')
  two?.protect(() => [])
  await one?.remove({ node: 'node2' })
  await until('node 2 has left', () => two?.current() === undefined)
})

withRig(
  'of two configurations proposed at once at most one is applied, the same everywhere',
  async (t, rig) => {
    const nodes = ['node1', 'node2', 'node3']
    const services = await rig.cluster(nodes)
    await Promise.allSettled(
      services.map((service, index) =>
        service.configure({ xml: rig.xml(nodes, { pulse: `${String(60 + index)}ms` }) }),
      ),
    )
    await until('the nodes agree', () => new Set(services.map((one) => one.xml())).size === 1)
    t.true(services.every((service) => service.view().revision <= 2))
  },
)

withRig('the certificate of another cluster is refused on both sides', async (t, rig) => {
  const [one] = await rig.cluster(['node1', 'node2'])
  await rig.stop('node2')
  const stranger = new Rig()
  try {
    // The same names and addresses, but keys of its own.
    const impostor = await stranger.start('node2')
    await impostor.init({ xml: rig.xml(['node1', 'node2']), node: 'node2' })
    await until('node 1 notices', () => rig.logged('heartbeatRefused', 'node1').length > 0)
    await until('the dialler says why', () => rig.logged('peerNotReached', 'node1').length > 0)
    t.false(one?.view().nodes[1]?.connected ?? true)
    t.false(impostor.view().nodes[0]?.connected ?? true)
  } finally {
    await stranger.remove()
  }
})

withRig(
  'a join that is cut before its last step leaves no member, and can be repeated',
  async (t, rig) => {
    const first = await rig.start('node1')
    await first.init({ xml: rig.xml(['node1', 'node2']), node: 'node1' })
    const second = await rig.start('node2')
    // A directory in the place of the member file: the last write cannot be done.
    const member = join(await rig.root('node2'), 'var/lib/holdfast/cluster/member.json')
    await mkdir(join(member, 'x'), { recursive: true })
    const cut = await first.invite({ node: 'node2', ttlMs: 60_000 })
    await t.throwsAsync(second.join({ token: cut.token }))
    t.is(second.current(), undefined)
    await rm(member, { recursive: true })
    const restarted = await rig.start('node2')
    t.is(restarted.current(), undefined)
    t.is((await refusal(t, restarted.join({ token: cut.token }))).code, 'E_JOIN_USED')
    const { token } = await first.invite({ node: 'node2', ttlMs: 60_000 })
    await restarted.join({ token })
    await until('both are connected', () => first.view().nodes.every((node) => node.connected))
  },
)

withRig('a node that lost a key file says which one', async (t, rig) => {
  const first = await rig.start('node1')
  await first.init({ xml: rig.xml(['node1']), node: 'node1' })
  await rig.stop('node1')
  await rm(join(await rig.root('node1'), 'etc/holdfast/keys/node.key'))
  const error = await refusal(t, rig.start('node1'))
  t.is(error.code, 'E_CLUSTER_KEYS')
  t.regex(error.message, /node\.key/)
})

withRig('an edited cluster.xml that was not applied is left alone and reported', async (t, rig) => {
  const first = await rig.start('node1')
  const xml = rig.xml(['node1'])
  await first.init({ xml, node: 'node1' })
  await rig.stop('node1')
  const copy = join(await rig.root('node1'), 'etc/holdfast/cluster.xml')
  await writeFile(copy, '<cluster/>')
  const restarted = await rig.start('node1')
  t.is(restarted.xml(), xml)
  t.is(await readFile(copy, 'utf8'), '<cluster/>')
  t.is(rig.logged('clusterXmlNotApplied').length, 1)
})

withRig('a node may be written as a name, which is resolved', async (t, rig) => {
  const first = await rig.start('node1')
  const second = await rig.start('node2')
  const xml = rig.xml(['node1', 'node2']).replace(rig.address('node1'), 'localhost')
  await first.init({ xml, node: 'node1' })
  const peers = () => first.current()?.network.peersFor('x', () => ['node2'])
  await until('the name is resolved', () => peers()?.address('node1') !== undefined)
  // The other address must be of the same family as what the name means here.
  if (peers()?.address('node1') !== '127.0.0.1') {
    t.is(peers()?.address('node1'), '::1')
    return
  }
  await until('its ports are open', () => first.view().nodes[0]?.lans[0]?.up === true)
  const { token } = await first.invite({ node: 'node2', ttlMs: 60_000 })
  await second.join({ token })
  await until('both LANs are up', () =>
    [first, second].every((one) =>
      one.view().nodes.every((node) => node.lans.every((lan) => lan.up)),
    ),
  )
  t.is(second.view().nodes[0]?.lans[0]?.address, 'localhost')
})
