/** All or none, with messages that are lost or refused at each step. */
import { HoldfastError, type Peers } from '@holdfast/sdk'
import test, { type ExecutionContext } from 'ava'
import { systemClock } from '../scheduling/clock.js'
import { Agreement, type Proposal } from './agreement.js'

const nodes = ['a', 'b', 'c'] as const
type Name = (typeof nodes)[number]

const xmlFor = (pulse: number): string =>
  `<cluster><lans pulse="${String(pulse)}"><lan name="l">${nodes
    .map((node, at) => `<node name="${node}" addr="10.0.0.${String(at + 1)}"/>`)
    .join('')}</lan></lans></cluster>`

/** Three nodes without sockets: a call is a function call, unless `loses` says that it gets lost. */
class World {
  readonly applied = new Map<Name, Proposal>(
    nodes.map((node) => [node, { revision: 1, xml: xmlFor(100) }]),
  )
  readonly agreements = new Map<Name, Agreement>()
  readonly orders: string[] = []
  readonly away = new Set<string>()
  /** Nodes whose state file is being written when the power goes. */
  readonly crashing = new Set<string>()
  readonly refusing = new Set<string>()
  loses: (order: string) => boolean = () => false
  private readonly answers = new Map<string, (node: string, message: unknown) => Promise<unknown>>()
  private readonly listeners = new Map<string, (node: string, message: unknown) => void>()

  constructor(t: ExecutionContext) {
    for (const node of nodes) this.agreements.set(node, this.agreementOf(node))
    t.teardown(() => {
      for (const agreement of this.agreements.values()) agreement.stop()
    })
  }

  async proposes(node: Name, pulse: number): Promise<string> {
    try {
      await this.agreements.get(node)?.propose(xmlFor(pulse))
      return 'applied'
    } catch (thrown) {
      if (!(thrown instanceof HoldfastError)) throw thrown
      return thrown.code
    }
  }

  revisions(): readonly (number | undefined)[] {
    return nodes.map((node) => this.applied.get(node)?.revision)
  }

  private agreementOf(node: Name): Agreement {
    return new Agreement({
      peers: this.peersOf(node),
      clock: systemClock,
      log: { write: () => undefined },
      present: () => ({ ...(this.applied.get(node) ?? { revision: 0, xml: '' }), joined: nodes }),
      accept: () =>
        this.refusing.has(node)
          ? Promise.reject(new HoldfastError('E_TEST_REFUSED', 'no'))
          : Promise.resolve(),
      apply: (proposal) => {
        if (this.crashing.has(node)) return Promise.reject(new HoldfastError('E_TEST_CRASH', 'no'))
        const known = this.applied.get(node)
        if (proposal.revision > (known?.revision ?? 0)) this.applied.set(node, proposal)
        return Promise.resolve()
      },
      follow: () => undefined,
    })
  }

  private peersOf(self: Name): Peers {
    return {
      self,
      others: nodes.filter((node) => node !== self),
      state: (node) => {
        const connected = !this.away.has(node)
        return { node, lans: [], connected, incarnation: undefined }
      },
      watch: () => () => undefined,
      send: (node, message) => {
        this.listeners.get(node)?.(self, structuredClone(message))
        return true
      },
      onMessage: (on) => {
        this.listeners.set(self, on)
        return () => undefined
      },
      call: async (node, message) => {
        const { kind } = message as { kind: string } // Each order of this protocol has a kind.
        const order = `${kind} ${node}`
        this.orders.push(order)
        if (this.loses(order)) throw new HoldfastError('E_PEER_TIMEOUT', order)
        return this.answers.get(node)?.(self, structuredClone(message))
      },
      onCall: (answer) => {
        this.answers.set(self, answer)
        return () => undefined
      },
      address: () => undefined,
    }
  }
}

test('a configuration that all accept is applied by all', async (t) => {
  const world = new World(t)
  t.is(await world.proposes('b', 200), 'applied')
  t.deepEqual(world.revisions(), [2, 2, 2])
})

const before: readonly [string, (world: World) => void, string][] = [
  ['one node refuses', (world) => world.refusing.add('c'), 'E_TEST_REFUSED'],
  ['the coordinator itself refuses', (world) => world.refusing.add('a'), 'E_TEST_REFUSED'],
  ['one node is away', (world) => world.away.add('c'), 'E_CLUSTER_UNREACHABLE'],
  [
    'an order to prepare is lost',
    (world) => (world.loses = (order) => order === 'prepare c'),
    'E_PEER_TIMEOUT',
  ],
  ['the coordinator cannot write its decision', (world) => world.crashing.add('a'), 'E_TEST_CRASH'],
]
for (const [what, fault, code] of before) {
  test(`when ${what}, nobody changes anything, and the next proposal is applied`, async (t) => {
    const world = new World(t)
    fault(world)
    t.is(await world.proposes('a', 200), code)
    t.deepEqual(world.revisions(), [1, 1, 1])
    t.false(world.orders.some((order) => order.startsWith('commit')))
    for (const set of [world.refusing, world.away, world.crashing]) set.clear()
    world.loses = () => false
    t.is(await world.proposes('b', 300), 'applied')
    t.deepEqual(world.revisions(), [2, 2, 2])
  })
}

test('a node that misses the commit fetches the configuration at the next announcement', async (t) => {
  const world = new World(t)
  world.loses = (order) => order === 'commit c'
  t.is(await world.proposes('a', 200), 'applied')
  t.deepEqual(world.revisions(), [2, 2, 1])
  t.is(await world.proposes('b', 300), 'E_CLUSTER_REVISION')
  world.agreements.get('b')?.announce('c')
  await new Promise((resolve) => setImmediate(resolve))
  t.deepEqual(world.revisions(), [2, 2, 2])
})

test('a node that announces an older revision is told of the newer one', async (t) => {
  const world = new World(t)
  world.loses = (order) => order === 'commit c'
  await world.proposes('a', 200)
  world.agreements.get('c')?.announce('a')
  await new Promise((resolve) => setImmediate(resolve))
  t.deepEqual(world.revisions(), [2, 2, 2])
})

test('of two proposals at once at most one is applied', async (t) => {
  const world = new World(t)
  const outcomes = await Promise.all([world.proposes('a', 200), world.proposes('b', 300)])
  t.true(outcomes.filter((one) => one === 'applied').length <= 1)
  t.is(new Set([...world.applied.values()].map((one) => one.xml)).size, 1)
})
