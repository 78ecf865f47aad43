/** The light machine by itself: orders, failures, and a daemon that is killed after any step. */
import { done, type OperatorCommand, refused } from '@holdfast/sdk'
import test from 'ava'
import { initialState, step } from './decide.js'
import { present } from './present.js'
import type { Action, Event, State } from './types.js'

/** A module whose resources are in the test's hands. */
class World {
  state: State
  wallMs = 1_700_000_000_000
  readonly orders: string[] = []
  /** Resources that fail when they are told so. */
  readonly broken = new Set<string>()
  /** What was asked of the resources and is not answered yet. */
  open: Action[] = []
  refusals: string[] = []

  constructor(maxloop = 3) {
    this.state = initialState({ maxloop, loopIntervalMs: 24 * 3_600_000 }, 0)
  }

  post(event: Event): void {
    const { next, actions } = step(this.state, event)
    this.state = next
    for (const action of actions) {
      if (action.kind !== 'answer') this.open.push(action)
      else if (!action.verdict.ok) this.refusals.push(action.verdict.reason)
    }
  }

  order(command: OperatorCommand, identity?: string): void {
    this.wallMs += 1_000
    const cause = `${command} as told`
    this.post({ kind: 'commanded', command, identity, cause, wallMs: this.wallMs, ticket: 1 })
  }

  /** The resources do what they were told, one after another. */
  settle(max = 50): void {
    for (let n = 0; n < max && this.open.length > 0; n++) this.answerOne()
  }

  answerOne(): void {
    const [action, ...rest] = this.open
    this.open = rest
    if (action === undefined || action.kind === 'answer') return
    const name =
      action.kind === 'restart' ? 'restart' : `${action.kind} ${action.from}-${action.to}`
    this.orders.push(name)
    const verdict = this.broken.has(name) ? refused('E_TEST', `${name} failed`) : done
    const { epoch } = action
    if (action.kind === 'leave') this.post({ kind: 'left', epoch, verdict })
    else {
      const kind = action.kind === 'enter' ? 'entered' : 'restarted'
      this.post({ kind, epoch, verdict, wallMs: this.wallMs })
    }
  }

  shown(): string {
    const { role, sub } = present(this.state, 0)
    return `${role} ${sub}`
  }
}

function up(maxloop?: number): World {
  const world = new World(maxloop)
  world.order('start')
  world.settle()
  world.orders.length = 0
  return world
}

test('start leads through WAIT to UP, stop leads back, each in its own step', (t) => {
  const world = new World()
  t.is(world.shown(), 'STOP NotReady')
  world.order('start')
  t.is(world.shown(), 'WAIT Transient')
  world.answerOne()
  t.is(world.shown(), 'UP Transient')
  world.settle()
  t.is(world.shown(), 'UP Ready')
  world.order('stop')
  t.is(world.shown(), 'WAIT Transient')
  world.settle()
  t.is(world.shown(), 'STOP NotReady')
  t.deepEqual(world.orders, [
    'enter stop-wait',
    'enter wait-up',
    'leave up-wait',
    'leave wait-stop',
  ])
})

test('restart stays in its place, stopstart leaves and comes back', (t) => {
  const world = up()
  world.order('restart')
  t.is(world.shown(), 'UP Transient')
  world.settle()
  t.is(world.shown(), 'UP Ready')
  world.order('stopstart')
  world.settle()
  t.is(world.shown(), 'UP Ready')
  t.deepEqual(world.orders, ['restart', 'leave up-wait', 'enter wait-up'])
})

test('wait stops the application until wakeup', (t) => {
  const world = up()
  world.order('wait', 'p_gw')
  world.settle()
  t.is(world.shown(), 'WAIT NotReady')
  t.is(present(world.state, 0).cause, 'wait as told')
  world.order('wakeup', 'Implicit_wakeup')
  world.settle()
  t.is(world.shown(), 'UP Ready')
})

test('a module that is told to wait while it starts runs nothing before wakeup', (t) => {
  const world = new World()
  world.order('start')
  world.order('wait', 'p_gw')
  world.settle()
  t.is(world.shown(), 'WAIT NotReady')
  t.deepEqual(world.orders, ['enter stop-wait'])
  t.is(world.state.loops.length, 0)
  world.order('wakeup', 'Implicit_wakeup')
  world.settle()
  t.is(world.shown(), 'UP Ready')
})

test('wakeup without wait does nothing, and an operator who starts ends the wait', (t) => {
  const world = up()
  world.order('wakeup', 'Implicit_wakeup')
  t.is(world.open.length, 0)
  world.order('wait', 'p_gw')
  world.settle()
  world.order('start')
  world.settle()
  t.is(world.shown(), 'UP Ready')
})

test('the fourth interruption by rules stops the module, and an order of the operator begins a new count', (t) => {
  const world = up()
  for (let n = 0; n < 3; n++) {
    world.order('restart', 't_web')
    world.settle()
  }
  t.is(world.shown(), 'UP Ready')
  world.order('restart', 't_web')
  world.settle()
  t.is(world.shown(), 'STOP NotReady')
  t.is(present(world.state, 0).cause, 'stopped by maxloop: restart as told')
  world.order('start')
  world.settle()
  world.order('restart', 't_web')
  world.settle()
  t.is(world.shown(), 'UP Ready')
})

test('an application that does not start is tried again until maxloop', (t) => {
  const world = new World()
  world.broken.add('enter wait-up')
  world.order('start')
  world.settle()
  t.is(world.shown(), 'STOP NotReady')
  t.is(world.orders.filter((order) => order === 'enter wait-up').length, 4)
  t.regex(present(world.state, 0).cause, /stopped by maxloop: enter wait-up failed/)
})

test('a beginning that fails begins from the beginning', (t) => {
  const world = new World(1)
  world.broken.add('enter stop-wait')
  world.order('start')
  world.settle()
  t.is(world.shown(), 'STOP NotReady')
  t.deepEqual(world.orders, [
    'enter stop-wait',
    'leave wait-stop',
    'enter stop-wait',
    'leave wait-stop',
  ])
})

test('what can not be stopped is not called stopped, until forcestop succeeds', (t) => {
  const world = up()
  world.broken.add('leave up-wait')
  world.order('stop')
  world.settle()
  t.is(world.shown(), 'WAIT NotReady')
  t.regex(present(world.state, 0).hint ?? '', /forcestop/)
  world.order('start')
  t.is(world.open.length, 0)
  world.broken.clear()
  world.order('forcestop')
  world.settle()
  t.is(world.shown(), 'STOP NotReady')
})

test('a stop while the application stops to come back ends in STOP', (t) => {
  const world = up()
  world.order('stopstart')
  world.order('stop')
  world.settle()
  t.is(world.shown(), 'STOP NotReady')
})

test('an answer that comes too late changes nothing', (t) => {
  const world = new World()
  world.order('start')
  const late = world.open.slice()
  world.order('stop')
  world.open = [...late, ...world.open.filter((action) => !late.includes(action))]
  world.settle()
  t.is(world.shown(), 'STOP NotReady')
})

test('orders of a pair are refused with a sentence', (t) => {
  const world = up()
  for (const command of ['prim', 'primforce', 'second', 'swap'] as const) world.order(command)
  t.is(world.refusals.length, 4)
  t.regex(world.refusals[0] ?? '', /a light module has no primary/)
  t.is(world.shown(), 'UP Ready')
})

/** What is cut, from a module that is up or not, and where it must end. */
const ways: readonly (readonly [OperatorCommand, () => World, string])[] = [
  ['start', () => new World(), 'UP Ready'],
  ['stop', up, 'STOP NotReady'],
  ['restart', up, 'UP Ready'],
  ['stopstart', up, 'UP Ready'],
  ['wait', up, 'WAIT NotReady'],
]

for (const [command, given, end] of ways) {
  test(`a ${command} that is cut after any step by the death of the daemon comes to its end`, (t) => {
    for (let steps = 0; steps < 5; steps++) {
      const world = given()
      world.order(command)
      for (let n = 0; n < steps; n++) world.answerOne()
      world.open = []
      world.post({ kind: 'adopted', verdict: done, wallMs: world.wallMs })
      world.settle()
      t.is(world.shown(), end, `after ${String(steps)} steps`)
    }
  })
}
