/** Which LAN carries the stream: the rules of the pure machine, and a LAN that flaps as it likes. */
import test from 'ava'
import {
  heldMinMs,
  initialRoute,
  type Route,
  type RouteAction,
  type RouteEvent,
  type RouteLan,
  step,
} from './route.js'

/** One node of a pair on the LANs a and b (or others), of which some carry. */
class World {
  route: Route
  actions: RouteAction[] = []
  nowMs = 0
  private lans: readonly RouteLan[]

  constructor(dials = true, names: readonly string[] = ['a', 'b']) {
    this.route = initialRoute(dials)
    this.lans = names.map((name) => ({ name, carries: false }))
    this.happens({ kind: 'waited', lans: this.lans })
  }

  /** One that is open on `lan`, which is known to carry like the others. */
  static open(lan: string, dials = true): World {
    const world = new World(dials)
    world.pulses('a', 'b')
    world.opens(lan)
    world.nowMs += heldMinMs
    world.forget()
    return world
  }

  happens(event: RouteEvent): readonly RouteAction[] {
    const { next, actions } = step(this.route, event)
    this.route = next
    this.actions.push(...actions)
    return actions
  }

  /** A pulse, after which heartbeats are known to pass both ways on these LANs only. */
  pulses(...carrying: readonly string[]): readonly RouteAction[] {
    this.lans = this.lans.map(({ name }) => ({ name, carries: carrying.includes(name) }))
    return this.happens({ kind: 'ticked', lans: this.lans })
  }

  opens(lan: string): void {
    this.happens({ kind: 'opened', lan, nowMs: this.nowMs })
  }

  closes(): readonly RouteAction[] {
    return this.happens({ kind: 'closed', nowMs: this.nowMs })
  }

  waits(): readonly RouteAction[] {
    return this.happens({ kind: 'waited', lans: this.lans })
  }

  /** What it dials when each dial fails. */
  dialsInVain(times: number): readonly string[] {
    const begun = this.actions.length
    for (let at = 0; at < times; at++) {
      this.happens({ kind: 'dialFailed' })
      this.waits()
    }
    return this.dialled(begun)
  }

  dialled(from = 0): readonly string[] {
    return this.actions.slice(from).flatMap((one) => (one.kind === 'dial' ? [one.lan] : []))
  }

  forget(): void {
    this.actions = []
  }
}

const cause = 'heartbeats do not pass both ways on LAN a, and do on b'

test('the dialler dials at once, and the other one never', (t) => {
  t.deepEqual(new World().actions, [{ kind: 'dial', lan: 'a' }])
  const listener = new World(false)
  listener.pulses('a')
  listener.opens('a')
  listener.pulses('b')
  listener.pulses('b')
  listener.opens('b')
  listener.closes()
  listener.waits()
  t.deepEqual(listener.actions, [{ kind: 'leave', lan: 'a', cause }])
})

for (const dials of [true, false]) {
  const who = dials ? 'the dialler' : 'the listener'
  test(`${who} leaves a LAN that carries nothing at the second pulse that says so, if another one carries`, (t) => {
    const world = World.open('a', dials)
    t.deepEqual(world.pulses('b'), [])
    const left = { kind: 'leave', lan: 'a', cause } as const
    t.deepEqual(world.pulses('b'), dials ? [left, { kind: 'dial', lan: 'b' }] : [left])
  })

  test(`${who} stays when all LANs fall silent one after the other, and when they are heard again so`, (t) => {
    const world = World.open('a', dials)
    world.pulses('b')
    for (let pulse = 0; pulse < 10; pulse++) world.pulses()
    world.pulses('b')
    world.pulses('a', 'b')
    t.deepEqual(world.actions, [])
  })

  test(`${who} leaves a stream when, after silence on all LANs, only another one is heard again`, (t) => {
    const world = World.open('a', dials)
    for (let pulse = 0; pulse < 10; pulse++) world.pulses()
    world.pulses('b')
    t.like(world.pulses('b')[0], { kind: 'leave', lan: 'a' })
  })

  test(`${who} does not go back to a LAN that carries again`, (t) => {
    const world = World.open('b', dials)
    for (let pulse = 0; pulse < 5; pulse++) world.pulses('b')
    for (let pulse = 0; pulse < 5; pulse++) world.pulses('a', 'b')
    t.deepEqual(world.actions, [])
  })
}

test('a dial over a LAN that carries nothing is given up for one that carries', (t) => {
  const world = new World()
  world.forget()
  world.pulses('b')
  t.deepEqual(world.pulses('b'), [
    { kind: 'leave', lan: 'a', cause },
    { kind: 'dial', lan: 'b' },
  ])
  t.deepEqual(world.happens({ kind: 'closed', nowMs: 1 }), [])
})

test('only LANs that carry are dialled, and all in turn when none does', (t) => {
  const world = World.open('a')
  world.pulses('b')
  world.closes()
  t.deepEqual(world.waits(), [{ kind: 'dial', lan: 'b' }])
  t.deepEqual(world.dialsInVain(3), ['b', 'b', 'b'])
  world.pulses()
  t.deepEqual(world.dialsInVain(4), ['a', 'b', 'a', 'b'])
})

test('a lost stream is dialled again over the preferred LAN that carries', (t) => {
  const world = World.open('b')
  t.deepEqual(world.closes(), [{ kind: 'wait', delayMs: 50 }])
  t.deepEqual(world.waits(), [{ kind: 'dial', lan: 'a' }])
})

test('dials that fail, and streams that end as soon as they open, wait longer each time and change the LAN', (t) => {
  const delays = (actions: readonly RouteAction[]): readonly number[] =>
    actions.flatMap((one) => (one.kind === 'wait' ? [one.delayMs] : []))
  const world = World.open('a')
  world.closes()
  world.waits()
  world.forget()
  world.dialsInVain(7)
  t.deepEqual(delays(world.actions), [50, 100, 200, 400, 800, 1000, 1000])
  t.deepEqual(world.dialled(), ['b', 'a', 'b', 'a', 'b', 'a', 'b'])
  world.forget()
  world.opens('b')
  world.nowMs += heldMinMs - 1
  t.deepEqual(world.closes(), [{ kind: 'wait', delayMs: 1000 }])
  t.deepEqual(world.waits(), [{ kind: 'dial', lan: 'a' }])
})

test('whoever waits dials at once when a LAN begins to carry, and not because it goes on to', (t) => {
  const world = World.open('a')
  world.closes()
  t.deepEqual(world.pulses('a', 'b'), [])
  world.pulses('a')
  t.deepEqual(world.pulses('a', 'b'), [{ kind: 'dial', lan: 'a' }])
})

test('a node without a common LAN waits, and dials when there is one', (t) => {
  const world = new World(true, [])
  t.deepEqual(world.actions, [{ kind: 'wait', delayMs: 50 }])
  t.deepEqual(world.happens({ kind: 'waited', lans: [{ name: 'c', carries: false }] }), [
    { kind: 'dial', lan: 'c' },
  ])
})

test('LANs that flap at each pulse make it dial at most every second pulse, and leave nothing that carries', (t) => {
  let seed = 7
  const random = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
    return Math.floor((seed / 2 ** 31) * below)
  }
  const pulses = 5_000
  const world = new World()
  let opened = 0
  for (let pulse = 0; pulse < pulses; pulse++) {
    const carrying = ['a', 'b'].filter(() => random(2) === 0)
    for (const action of world.pulses(...carrying)) {
      if (action.kind !== 'leave') continue
      t.false(carrying.includes(action.lan))
      t.true(carrying.length > 0)
    }
    if (world.route.place.stage === 'dialling' && random(2) === 0) {
      world.opens(world.route.place.lan)
      opened++
    }
    world.nowMs += 250
  }
  t.true(world.dialled().length <= pulses / 2 + 1, String(world.dialled().length))
  t.true(opened > 100, String(opened))
})
