/** Rollouts step by step: a pair that follows orders, and one in which each step fails once. */
import test from 'ava'
import { decide, isOrphaned, isReached, lostBy, standsInTheWay, turnedBack } from './decide.js'
import { Patience, restMs, transientMs } from './patience.js'
import type { Rollout, Standing, Step, Way } from './types.js'
import { viewOf } from './view.js'

type Roles = Readonly<Record<string, Standing['role']>>

const words = ({ what, nodes }: Step): string => `${what} ${nodes.join(',')}`

/** Nodes that obey: what an order leads to is there when one looks again. */
class World {
  readonly done: string[] = []
  /** What a start leads to elsewhere. */
  onStart: () => void = () => undefined
  rollout: Rollout
  private standings: readonly Standing[]

  constructor(roles: Roles, way: Way, hasTarget: readonly string[] = []) {
    this.standings = Object.entries(roles).map(([node, role]) => ({
      ...{ node, isReached: true, hasTarget: hasTarget.includes(node), version: '1', role },
      ...{ sub: role === 'STOP' ? 'NotReady' : 'Ready', cause: 'so', progress: 0 },
      failure: undefined,
    }))
    const nodes = Object.keys(roles)
    const lead = nodes.find((node) => ['PRIM', 'ALONE', 'UP'].includes(roles[node] ?? ''))
    this.rollout = {
      order: { kind: 'config', name: 'app', id: 1, nodes, digest: 'd', file: 'f' },
      ...{ id: 'r', way, from: '1', to: '2', lead, taken: [], warnings: [] },
      started: nodes.filter((node) => roles[node] !== 'STOP'),
      ...{ doing: undefined, abandoned: undefined, end: undefined },
      ...{ previous: undefined, returning: undefined },
    }
  }

  get all(): readonly Standing[] {
    return this.standings
  }

  node(name: string): Standing {
    const found = this.standings.find(({ node }) => node === name)
    if (found === undefined) throw new Error(`no node ${name}`)
    return found
  }

  become(name: string, change: Partial<Standing>): void {
    this.standings = this.standings.map((one) => (one.node === name ? { ...one, ...change } : one))
  }

  /** Takes steps until there is none; `broken`: this order has the effect `becomes` instead. */
  run(broken?: string, becomes: () => void = () => undefined): string {
    for (let count = 0; count < 50; count += 1) {
      const decision = decide(this.rollout, this.standings)
      if (decision.kind === 'done') return 'done'
      if (decision.kind !== 'step') return `${decision.kind}: ${decision.reason}`
      const { step } = decision
      this.done.push(words(step))
      if (words(step) === broken) becomes()
      else this.obey(step)
      this.assertServed()
      if (this.rollout.abandoned === undefined && !isReached(step, this.standings)) {
        return `stuck: ${words(step)}`
      }
      if (this.rollout.abandoned === undefined || step.what === 'start') {
        this.rollout = { ...this.rollout, taken: [...this.rollout.taken, step] }
      }
    }
    throw new Error('it never ends')
  }

  private obey({ what, nodes }: Step): void {
    for (const node of nodes) {
      if (what === 'stop') this.become(node, { role: 'STOP', sub: 'NotReady' })
      else if (what === 'apply') this.become(node, { hasTarget: true, version: '2' })
      else if (what === 'start') {
        this.become(node, { role: this.roleAtStart(), sub: 'Ready' })
        this.onStart()
      } else this.swap()
    }
    this.settle()
  }

  private roleAtStart(): Standing['role'] {
    if (this.standings.some(({ role }) => role === 'UP')) return 'UP'
    return this.standings.some(({ role }) => role === 'PRIM' || role === 'ALONE')
      ? 'SECOND'
      : 'ALONE'
  }

  private swap(): void {
    for (const { node, role } of this.standings) {
      this.become(node, { role: role === 'PRIM' ? 'SECOND' : 'PRIM' })
    }
  }

  private settle(): void {
    const hasSecond = this.standings.some(({ role }) => role === 'SECOND')
    for (const { node, role } of this.standings) {
      if (role === 'PRIM' && !hasSecond) this.become(node, { role: 'ALONE' })
      if (role === 'ALONE' && hasSecond) this.become(node, { role: 'PRIM' })
    }
  }

  /** One node serves at any time, and never two, unless the operator allowed to stop. */
  private assertServed(): void {
    const serving = this.standings.filter(({ role }) => role === 'PRIM' || role === 'ALONE')
    const isPair =
      this.rollout.started.length > 0 &&
      this.rollout.returning === undefined &&
      this.standings.every(({ role }) => role !== 'UP')
    const isLost = this.done.some((step) => step.startsWith('swap')) && serving.length === 0
    if (isPair && this.rollout.way === 'rolling' && !isLost && serving.length !== 1) {
      throw new Error(`${String(serving.length)} nodes serve after ${this.done.join(', ')}`)
    }
  }
}

const pair: Roles = { n1: 'PRIM', n2: 'SECOND' }
const there = ['stop n2', 'apply n2', 'start n2', 'swap n1', 'stop n1', 'apply n1', 'start n1']

test('the secondary goes first, then the roles are swapped, then the old primary', (t) => {
  const world = new World(pair, 'rolling')
  t.is(world.run(), 'done')
  t.deepEqual(world.done, there)
  t.is(world.node('n2').role, 'PRIM')
})

test('with --stop the secondary stops first, all get it at once, and who served starts first', (t) => {
  const world = new World(pair, 'stop')
  t.is(world.run(), 'done')
  t.deepEqual(world.done, ['stop n2', 'stop n1', 'apply n1,n2', 'start n1', 'start n2'])
})

test('nodes that all serve go one after the other', (t) => {
  const world = new World({ n1: 'UP', n2: 'UP', n3: 'UP' }, 'rolling')
  t.is(world.run(), 'done')
  t.deepEqual(world.done.slice(0, 4), ['stop n1', 'apply n1', 'start n1', 'stop n2'])
})

test('a node that the operator had stopped gets the configuration and stays stopped', (t) => {
  const world = new World({ n1: 'STOP', n2: 'STOP' }, 'rolling')
  t.is(world.run(), 'done')
  t.deepEqual(world.done, ['apply n1', 'apply n2'])
})

for (const step of there) {
  test(`when "${step}" has no effect, it waits there and touches nothing else`, (t) => {
    const world = new World(pair, 'rolling')
    t.is(world.run(step), `stuck: ${step}`)
    t.is(world.done.at(-1), step)
    // What it waits for, it does not wait for ever.
    let nowMs = 0
    const patience = new Patience({ monotonicMs: () => nowMs })
    t.is(patience.endsAt(world.all, 'x'), undefined)
    nowMs = restMs + 1
    t.is(patience.endsAt(world.all, 'x'), 'it waited too long: x')
  })
}

test('a node that refuses the configuration starts again with its own, and the other was not touched', (t) => {
  const world = new World(pair, 'rolling')
  const refuse = (): void => {
    world.rollout = { ...world.rollout, abandoned: 'n2 refuses' }
  }
  t.is(world.run('apply n2', refuse), 'halt: n2 refuses')
  t.deepEqual(world.done, ['stop n2', 'apply n2', 'start n2'])
  t.deepEqual([world.node('n1').role, world.node('n2').role], ['PRIM', 'SECOND'])
  const stopped = new World(pair, 'stop')
  const refuseAll = (): void => {
    stopped.rollout = { ...stopped.rollout, abandoned: 'no' }
  }
  t.is(stopped.run('apply n1,n2', refuseAll), 'halt: no')
  t.deepEqual([stopped.node('n1').role, stopped.node('n2').role], ['PRIM', 'SECOND'])
})

test('a node that starts and falls back to STOP is not started again', (t) => {
  const world = new World(pair, 'rolling')
  world.run('start n2')
  world.rollout = {
    ...world.rollout,
    taken: [...world.rollout.taken, { what: 'start', nodes: ['n2'] }],
  }
  t.regex(world.run(), /^halt: the step "start" was done and did not last: n2 is STOP/)
  t.is(world.node('n1').role, 'ALONE')
})

test('a node whose new plugins fail, or that does not get ready, keeps the other from being touched', (t) => {
  const failing = new World(pair, 'rolling')
  failing.become('n2', { hasTarget: true, failure: 'plugin lamp: no bulb' })
  t.is(failing.run(), 'halt: n2: plugin lamp: no bulb')
  const waiting = new World(pair, 'rolling')
  waiting.become('n2', { hasTarget: true, role: 'WAIT', sub: 'Transient' })
  t.regex(waiting.run(), /^wait: n2 is WAIT Transient/)
  const away = new World(pair, 'rolling')
  away.become('n2', { isReached: false })
  t.is(away.run(), 'wait: node n2 is not reached')
})

test('after a halt the way back concerns only the node that has the new one', (t) => {
  const world = new World({ n1: 'PRIM', n2: 'SECOND' }, 'rolling', ['n1'])
  t.is(world.run(), 'done')
  t.deepEqual(world.done, ['stop n2', 'apply n2', 'start n2'])
})

test('after a swap that failed the old version starts first, takes over, and then the other goes back', (t) => {
  const world = new World({ n1: 'STOP', n2: 'ALONE' }, 'rolling', ['n1'])
  world.rollout = { ...world.rollout, started: ['n1', 'n2'], lead: undefined }
  t.is(world.run(), 'done')
  t.deepEqual(world.done, ['start n1', 'swap n2', 'stop n2', 'apply n2', 'start n2'])
})

test('a new version that nobody can serve goes back by itself, first where the data is', (t) => {
  const world = new World(pair, 'rolling')
  t.is(world.run('swap n1'), 'stuck: swap n1')
  // As a mirror ends whose new primary fails again and again: the other one waits for its data.
  world.become('n1', { role: 'WAIT', sub: 'NotReady' })
  world.become('n2', { role: 'STOP', sub: 'NotReady' })
  const swap: Step = { what: 'swap', nodes: ['n1'] }
  t.is(lostBy(world.rollout, swap, world.all), 'swap: n2 is STOP NotReady (so)')
  t.true(isOrphaned(world.rollout, world.all))
  const unseen = world.all.map((one) => ({ ...one, isReached: one.node !== 'n2' }))
  t.false(isOrphaned(world.rollout, unseen))
  t.is(turnedBack(world.rollout, 'x'), undefined)
  const previous = { ...world.rollout.order, digest: 'old' }
  const back = turnedBack({ ...world.rollout, previous }, 'n2 fell')
  t.is(back?.order.digest, 'old')
  t.is(back === undefined ? back : turnedBack(back, 'again'), undefined)
  world.rollout = back ?? world.rollout
  world.become('n1', { hasTarget: true })
  world.become('n2', { hasTarget: false })
  world.done.length = 0
  world.onStart = () => {
    world.become('n1', { role: 'SECOND', sub: 'Ready' })
  }
  t.is(world.run(), 'done')
  t.deepEqual(world.done, ['apply n2', 'start n2'])
  t.deepEqual([world.node('n1').role, world.node('n2').role], ['SECOND', 'PRIM'])
})

test('with --stop as well: what does not start anywhere is replaced by what did', (t) => {
  const world = new World({ n1: 'STOP', n2: 'STOP' }, 'stop')
  const previous = { ...world.rollout.order, digest: 'old' }
  const down = { ...world.rollout, started: ['n1', 'n2'], lead: 'n2', previous }
  world.rollout = turnedBack(down, 'n2 fell') ?? world.rollout
  t.is(world.run(), 'done')
  t.deepEqual(world.done, ['apply n1', 'apply n2', 'start n2', 'start n1'])
})

test('a swap is over when the old primary follows, not when it begins to step down', (t) => {
  const world = new World(pair, 'rolling')
  const swap: Step = { what: 'swap', nodes: ['n1'] }
  world.become('n1', { role: 'WAIT', sub: 'Transient' })
  t.false(isReached(swap, world.all))
  world.become('n1', { role: 'SECOND', sub: 'Ready' })
  t.true(isReached(swap, world.all))
  const handing: Step = { what: 'stop', nodes: ['n1'] }
  world.become('n1', { role: 'STOP', sub: 'Transient' })
  t.false(isReached(handing, world.all))
})

test('who serves with nobody to take over is told before anything is touched', (t) => {
  const alone = new World({ n1: 'ALONE', n2: 'STOP' }, 'rolling')
  t.is(standsInTheWay(alone.all, ['n1']), "node n2 is STOP: it can't take over from n1")
  t.regex(alone.run(), /^halt: nobody can take over from node n1/)
  const single = new World({ n1: 'UP' }, 'rolling')
  t.regex(standsInTheWay(single.all, ['n1']) ?? '', /only node n1 has the module/)
  t.is(standsInTheWay(new World(pair, 'rolling').all, ['n1', 'n2']), undefined)
})

test('a copy that goes on, and a script that takes its time, are waited for', (t) => {
  let nowMs = 0
  const patience = new Patience({ monotonicMs: () => nowMs })
  const world = new World(pair, 'rolling')
  world.become('n2', { sub: 'Transient' })
  t.is(patience.endsAt(world.all, 'x'), undefined)
  nowMs = restMs + 1
  t.is(patience.endsAt(world.all, 'x'), undefined)
  nowMs = transientMs
  world.become('n2', { progress: 1 })
  t.is(patience.endsAt(world.all, 'x'), undefined)
  nowMs = 2 * transientMs
  t.is(patience.endsAt(world.all, 'x'), undefined)
  nowMs = 2 * transientMs + 1
  t.truthy(patience.endsAt(world.all, 'x'))
})

test('what halted says which node has which version, and how to go on or back', (t) => {
  const world = new World(pair, 'rolling')
  world.become('n2', { hasTarget: true, version: '2' })
  world.become('n1', { isReached: false })
  const end = { kind: 'halted', reason: 'so' } as const
  const view = viewOf({ ...world.rollout, end }, world.all, undefined)
  t.deepEqual(view.nodes, [
    { node: 'n1', version: undefined, role: undefined, isNew: false },
    { node: 'n2', version: '2', role: 'SECOND', isNew: true },
  ])
  t.regex(view.hint ?? '', /module config app --rolling; back: holdfast module rollback app/)
})
