/** Who is heard and who is silent: the rules of the pure machine. */
import test from 'ava'
import {
  carries,
  hears,
  initialMembership,
  type MembershipAction,
  type MembershipEvent,
  type MembershipState,
  peerOf,
  step,
} from './decide.js'
import type { Incarnation } from './incarnation.js'

const pulseMs = 100
const first: Incarnation = { boot: 7, id: '7-aaaaaaaaaaaaaaaa' }
const second: Incarnation = { boot: 8, id: '8-bbbbbbbbbbbbbbbb' }
const clone: Incarnation = { boot: 7, id: '7-cccccccccccccccc' }

/** A world with one peer on two LANs, whose clock moves by ticks. */
class World {
  state: MembershipState = initialMembership
  readonly actions: MembershipAction[] = []
  nowMs = 0
  private sequence = 0

  constructor() {
    const peers = [{ node: 'peer', lans: ['a', 'b'] }]
    this.happens({ kind: 'configured', nowMs: 0, pulseMs, peers })
    this.happens({ kind: 'ticked', nowMs: 0 })
  }

  happens(event: MembershipEvent): readonly MembershipAction[] {
    const { next, actions } = step(this.state, event)
    this.state = next
    this.actions.push(...actions)
    return actions
  }

  /** `hears`: what the heartbeat says of ours. */
  hears(lan: string, incarnation = first, sequence = ++this.sequence, hears = true) {
    const { nowMs } = this
    const beat = { node: 'peer', lan, incarnation, sequence, hears }
    return this.happens({ kind: 'heartbeatReceived', nowMs, ...beat })
  }

  hearsStream(lan: string) {
    return this.happens({ kind: 'streamHeard', node: 'peer', lan, heardMs: this.nowMs })
  }

  watches(id: number, timeoutMs: number, lans: readonly string[] = []) {
    const watcher = { id, node: 'peer', timeoutMs, lans }
    return this.happens({ kind: 'watched', nowMs: this.nowMs, watcher })
  }

  /** Ticks in time until `untilMs`; before each of them the LANs are heard. */
  runs(untilMs: number, lans: readonly string[] = []): void {
    while (this.nowMs < untilMs) {
      this.nowMs += pulseMs
      for (const lan of lans) this.hears(lan)
      this.happens({ kind: 'ticked', nowMs: this.nowMs })
    }
  }

  /** This process does not run until `untilMs`, then its timer fires late. */
  freezes(untilMs: number): void {
    this.nowMs = untilMs
    this.happens({ kind: 'ticked', nowMs: untilMs })
  }

  told(kind: MembershipAction['kind']): number {
    return this.actions.filter((action) => action.kind === kind).length
  }
}

const silences: readonly {
  readonly title: string
  readonly timeoutMs: number
  readonly lans: readonly string[]
  readonly heardLans: readonly string[]
  readonly silent: boolean
}[] = [
  {
    ...{ title: 'a peer heard on one of two LANs is not silent', heardLans: ['b'] },
    ...{ timeoutMs: 500, lans: [], silent: false },
  },
  {
    ...{ title: 'a peer heard only on a LAN that is not watched is silent', heardLans: ['b'] },
    ...{ timeoutMs: 500, lans: ['a'], silent: true },
  },
  {
    ...{ title: 'a peer heard on no LAN is silent', heardLans: [] },
    ...{ timeoutMs: 500, lans: [], silent: true },
  },
  {
    ...{ title: 'a peer is not silent before the time-out', heardLans: [] },
    ...{ timeoutMs: 1500, lans: [], silent: false },
  },
]
for (const { title, timeoutMs, lans, heardLans, silent } of silences) {
  test(title, (t) => {
    const world = new World()
    world.watches(1, timeoutMs, lans)
    world.hears('a')
    world.runs(1000, heardLans)
    t.is(world.told('tellSilent'), silent ? 1 : 0)
  })
}

test('a peer whose datagrams are dropped is not silent while its stream speaks', (t) => {
  const world = new World()
  world.watches(1, 500)
  world.watches(2, 500, ['b'])
  world.hears('a')
  for (let untilMs = 200; untilMs <= 2_000; untilMs += 200) {
    world.hearsStream('a')
    world.runs(untilMs)
  }
  const silent = world.actions.filter((action) => action.kind === 'tellSilent')
  t.deepEqual(
    silent.map((action) => action.watcher),
    [2], // Watches a LAN on which nothing came, neither heartbeat nor stream.
  )
  world.runs(3_000)
  t.is(world.told('tellSilent'), 2)
  world.hearsStream('a')
  t.is(world.told('tellHeard'), 2)
})

test('silence is told with its length, at the first tick after the time-out', (t) => {
  const world = new World()
  world.runs(300, ['a'])
  world.watches(1, 450)
  world.runs(700)
  t.is(world.told('tellSilent'), 0)
  world.runs(800)
  const [told] = world.actions.filter((action) => action.kind === 'tellSilent')
  t.deepEqual(told, { kind: 'tellSilent', watcher: 1, node: 'peer', silentMs: 500 })
})

test('watchers with different time-outs are told each at its own time', (t) => {
  const world = new World()
  world.hears('a')
  world.watches(1, 300)
  world.watches(2, 900)
  world.runs(500)
  t.deepEqual(
    world.actions.flatMap((action) => (action.kind === 'tellSilent' ? [action.watcher] : [])),
    [1],
  )
  world.runs(1000)
  t.is(world.told('tellSilent'), 2)
})

test('a new watcher is told at once of a peer that is heard, and not at once of one that is not', (t) => {
  const world = new World()
  t.deepEqual(world.watches(1, 500), [])
  world.hears('a')
  t.deepEqual(world.watches(2, 500), [{ kind: 'tellHeard', watcher: 2, node: 'peer' }])
})

test('a peer that was never heard is silent only when the whole time-out has passed', (t) => {
  const world = new World()
  world.runs(400)
  world.watches(1, 500)
  t.is(world.told('tellSilent'), 0)
  world.runs(500)
  t.is(world.told('tellSilent'), 1)
})

test('the first heartbeat after silence is told once', (t) => {
  const world = new World()
  world.watches(1, 300)
  world.runs(500)
  world.runs(800, ['a', 'b'])
  t.is(world.told('tellSilent'), 1)
  t.is(world.told('tellHeard'), 1)
})

test('a watcher that is gone is told nothing', (t) => {
  const world = new World()
  world.watches(1, 300)
  world.happens({ kind: 'unwatched', id: 1 })
  world.runs(1000)
  t.is(world.told('tellSilent'), 0)
})

test('our own freeze is never read as the silence of the peer', (t) => {
  const world = new World()
  world.watches(1, 500)
  world.runs(300, ['a'])
  world.freezes(10_000)
  t.is(world.told('showFreeze'), 1)
  world.runs(10_200)
  t.is(world.told('tellSilent'), 0)
  world.hears('a')
  world.runs(10_400)
  t.is(world.told('tellSilent'), 0)
})

test('a peer that stays silent after our freeze is silent when the grace of three pulses is over', (t) => {
  const world = new World()
  world.watches(1, 500)
  world.runs(300, ['a'])
  world.freezes(10_000)
  world.runs(10_200)
  t.is(world.told('tellSilent'), 0)
  world.runs(10_300)
  t.is(world.told('tellSilent'), 1)
})

test('a tick that is two pulses late is not a freeze, one that is later is', (t) => {
  const world = new World()
  world.freezes(300)
  t.is(world.told('showFreeze'), 0)
  world.freezes(601)
  t.is(world.told('showFreeze'), 1)
})

test('a LAN goes down and up again by itself, whoever watches', (t) => {
  const world = new World()
  world.runs(300, ['a', 'b'])
  world.runs(1000, ['b'])
  world.runs(1100, ['a', 'b'])
  const lans = world.actions.flatMap((one) =>
    one.kind === 'showLan' ? [`${one.lan} ${String(one.up)}`] : [],
  )
  t.deepEqual(lans, ['a true', 'b true', 'a false', 'a true'])
})

test('a LAN carries from the first heartbeat to four pulses of silence', (t) => {
  const world = new World()
  t.false(carries(world.state, 'peer', 'a'))
  world.hears('a')
  t.true(carries(world.state, 'peer', 'a'))
  world.runs(300)
  t.true(carries(world.state, 'peer', 'a'))
  world.runs(400)
  t.false(carries(world.state, 'peer', 'a'))
})

test('a LAN on which the peer does not hear us carries nothing, though it is up', (t) => {
  const world = new World()
  world.hears('a')
  world.hears('b')
  world.hears('a', first, 10, false)
  t.false(carries(world.state, 'peer', 'a'))
  t.true(carries(world.state, 'peer', 'b'))
  t.is(world.told('showLan'), 2)
  world.hears('a', first, 11, true)
  t.true(carries(world.state, 'peer', 'a'))
})

test('the peer is told that it is not heard when its LAN is down, and not because we just began or stood still', (t) => {
  const world = new World()
  t.true(hears(world.state, 'peer', 'a'))
  world.runs(300)
  t.true(hears(world.state, 'peer', 'a'))
  world.runs(400)
  t.false(hears(world.state, 'peer', 'a'))
  world.hears('a')
  t.true(hears(world.state, 'peer', 'a'))
  world.freezes(10_000)
  t.true(hears(world.state, 'peer', 'a'))
  world.runs(10_400)
  t.false(hears(world.state, 'peer', 'a'))
  t.true(hears(world.state, 'stranger', 'a'))
})

const refusals: readonly [string, (world: World) => readonly MembershipAction[], string][] = [
  ['a heartbeat that is replayed', (world) => world.hears('a', first, 5), 'replayed'],
  ['an older heartbeat', (world) => world.hears('a', first, 4), 'replayed'],
  ['a heartbeat on a LAN that it does not share', (world) => world.hears('c'), 'unknownLan'],
  ['a clone with the same counter', (world) => world.hears('a', clone, 9), 'endedIncarnation'],
  [
    'an incarnation that has ended',
    (world) => {
      world.hears('a', second, 1)
      return world.hears('a', first, 6)
    },
    'endedIncarnation',
  ],
]
for (const [what, act, fault] of refusals) {
  test(`${what} is refused and keeps nobody alive`, (t) => {
    const world = new World()
    world.hears('a', first, 5)
    const before = world.actions.length
    t.like(act(world).at(-1), { kind: 'refuseHeartbeat', fault })
    t.is(world.actions.slice(before).filter((one) => one.kind === 'tellHeard').length, 0)
    world.nowMs = 50
    const known = world.state
    const sequence = 3
    world.hears('a', first, sequence)
    t.is(world.state, known, 'a refused heartbeat changes the state')
  })
}

test('a node that is not configured is refused', (t) => {
  const world = new World()
  const [action] = world.happens({
    ...{ kind: 'heartbeatReceived', nowMs: 0, node: 'ghost', lan: 'a' },
    ...{ incarnation: first, sequence: 1, hears: true },
  })
  t.deepEqual(action, { kind: 'refuseHeartbeat', node: 'ghost', lan: 'a', fault: 'unknownNode' })
})

test('a restarted peer begins its sequence anew and is shown as restarted', (t) => {
  const world = new World()
  world.hears('a', first, 1000)
  const actions = world.hears('a', second, 1)
  t.deepEqual(actions, [{ kind: 'showRestart', node: 'peer', incarnation: second }])
})

test('an incarnation that was proved on a stream ends the older ones for heartbeats too', (t) => {
  const world = new World()
  world.happens({ kind: 'incarnationProved', node: 'peer', incarnation: second })
  t.like(world.hears('a', first, 1)[0], { fault: 'endedIncarnation' })
})

test('a new configuration keeps what is known of LANs that stay', (t) => {
  const world = new World()
  world.nowMs = 100
  world.hears('a')
  world.hears('b')
  const peers = [{ node: 'peer', lans: ['b', 'c'] }]
  world.happens({ kind: 'configured', nowMs: 200, pulseMs, peers })
  t.deepEqual(
    peerOf(world.state, 'peer')?.lans.map(({ lan, heardMs }) => [lan, heardMs]),
    [
      ['b', 100],
      ['c', undefined],
    ],
  )
})

test('what was said on a LAN before it was removed is not heard again when it is added', (t) => {
  const world = new World()
  const configured = (lans: readonly string[]) =>
    world.happens({
      ...{ kind: 'configured', nowMs: world.nowMs, pulseMs },
      peers: [{ node: 'peer', lans }],
    })
  world.hears('a', first, 1)
  world.hears('b', first, 2)
  configured(['a'])
  configured(['a', 'b'])
  t.like(world.hears('b', first, 2), [{ kind: 'refuseHeartbeat', fault: 'replayed' }])
  t.like(world.hears('b', first, 3), [{ kind: 'showLan', lan: 'b', up: true }])
  t.like(world.hears('b', second, 1), [{ kind: 'showRestart' }])
})
