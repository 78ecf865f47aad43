import type { Program, Role, Transition } from '@holdfast/sdk'
import test from 'ava'
import { enterPlan, leavePlan, partsOf, restartPlan, resumedPlan, type Step } from './decide.js'

/** What the driver makes of a plan: stop scripts twice (`x2`) or only forced (`force`). */
function written(steps: readonly Step[]): string[] {
  return steps.map((step) => {
    if (step.kind === 'stop') return `${step.script} ${step.nice ? 'x2' : 'force'}`
    return step.kind.endsWith('Program') ? `${step.script} ${step.args.join(' ')}` : step.script
  })
}

function both(from: Role, to: Role, action: Transition['action'] = 'start'): string {
  const transition: Transition = { from, to, action, cause: '', generation: '1:n1' }
  const leave = written(leavePlan(transition)).join('; ')
  const enter = written(enterPlan(transition, [])).join('; ')
  return `${leave} | ${enter}`
}

const forced = 'stop_sec force; stop_prim force; stop_second force; stop_both force'

/** Left of the bar: before address and data of the role go; right: after those of the next role have come. */
const table: readonly (readonly [Role, Role, string])[] = [
  ['stop', 'stop', ' | '],
  ['stop', 'wait', 'transition; prestart | '],
  ['stop', 'alone', 'transition; prestart | transition; start_both; start_prim; start_sec'],
  ['stop', 'prim', 'transition; prestart | transition; start_both; start_prim'],
  ['stop', 'second', 'transition; prestart | transition; start_both; start_second; start_sec'],
  ['wait', 'stop', `${forced} | poststop; transition`],
  ['wait', 'wait', ' | '],
  ['wait', 'alone', ' | transition; start_both; start_prim; start_sec'],
  ['wait', 'prim', ' | transition; start_both; start_prim'],
  ['wait', 'second', ' | transition; start_both; start_second; start_sec'],
  [
    'alone',
    'stop',
    `stop_sec x2; stop_prim x2; stop_both x2; ${forced} | transition; poststop; transition`,
  ],
  ['alone', 'wait', 'stop_sec x2; stop_prim x2; stop_both x2 | transition'],
  ['alone', 'alone', ' | '],
  ['alone', 'prim', 'stop_sec x2 | transition'],
  ['alone', 'second', 'stop_prim x2 | transition; start_second'],
  ['prim', 'stop', `stop_prim x2; stop_both x2; ${forced} | transition; poststop; transition`],
  ['prim', 'wait', 'stop_prim x2; stop_both x2 | transition'],
  ['prim', 'alone', ' | transition; start_sec'],
  ['prim', 'prim', ' | '],
  ['prim', 'second', 'stop_prim x2 | transition; start_second; start_sec'],
  [
    'second',
    'stop',
    `stop_sec x2; stop_second x2; stop_both x2; ${forced} | transition; poststop; transition`,
  ],
  ['second', 'wait', 'stop_sec x2; stop_second x2; stop_both x2 | transition'],
  ['second', 'alone', 'stop_second x2 | transition; start_prim'],
  ['second', 'prim', 'stop_sec x2; stop_second x2 | transition; start_prim'],
  ['second', 'second', ' | '],
]

for (const [from, to, expected] of table) {
  test(`from ${from} to ${to} the scripts run in the published order`, (t) => {
    t.is(both(from, to), expected)
  })
}

test('the table holds every pair of roles', (t) => {
  t.is(new Set(table.map(([from, to]) => `${from} ${to}`)).size, 25)
})

const restarts: readonly (readonly [Role, string])[] = [
  ['alone', 'stop_sec x2; stop_prim x2; stop_both x2; start_both; start_prim; start_sec'],
  ['prim', 'stop_prim x2; stop_both x2; start_both; start_prim'],
  ['second', 'stop_sec x2; stop_second x2; stop_both x2; start_both; start_second; start_sec'],
  ['wait', ''],
]

for (const [role, expected] of restarts) {
  test(`a restart in ${role} stops and starts what runs there`, (t) => {
    const transition: Transition = {
      from: role,
      to: role,
      action: 'restart',
      cause: '',
      generation: '1:n1',
    }
    t.is(written(restartPlan(transition)).join('; '), expected)
  })
}

test('scripts learn present state, next state and action, and see a way through WAIT', (t) => {
  const transition: Transition = {
    from: 'alone',
    to: 'stop',
    action: 'stop',
    cause: '',
    generation: '1:n1',
  }
  const args = leavePlan(transition).map((step) => step.args.join(' '))
  t.is(args.at(0), 'ALONE WAIT stop')
  t.is(args.at(-1), 'WAIT STOP stop')
})

test('what runs already after a pass that was cut is not started a second time', (t) => {
  const transition: Transition = {
    from: 'wait',
    to: 'alone',
    action: 'start',
    cause: '',
    generation: '1:n1',
  }
  t.deepEqual(written(enterPlan(transition, ['both'])), ['transition', 'start_prim', 'start_sec'])
})

test('a plan is gone on with at the script that was found running, forced if it was', (t) => {
  const transition: Transition = {
    from: 'prim',
    to: 'wait',
    action: 'stop',
    cause: '',
    generation: '1:n1',
  }
  const plan = leavePlan(transition)
  const rest = (script: string, args: string) =>
    resumedPlan(plan, { script, args: args.split(' ') })?.map((step) => written([step])[0])
  t.deepEqual(rest('stop_prim', 'PRIM WAIT stop'), ['stop_prim x2', 'stop_both x2'])
  t.deepEqual(rest('stop_prim', 'force PRIM WAIT stop'), ['stop_prim force', 'stop_both x2'])
  t.deepEqual(rest('stop_both', 'PRIM WAIT stop'), ['stop_both x2'])
  t.is(rest('stop_both', 'PRIM SECOND swap'), undefined)
  t.is(rest('start_prim', 'PRIM WAIT stop'), undefined)
})

test('programs start after the start script of their suite, stop before its stop script, and are found again', (t) => {
  const call = (word: string) => ({ args: [word], timeoutMs: 1_000, environment: {} })
  const program = (name: string, suite: Program['suite'], order: number): Program => ({
    ...{ name, suite, order, path: `/${name}` },
    ...{ start: call('start'), stop: call('stop') },
  })
  const programs = [program('web', 'prim', 1), program('db', 'prim', 0), program('log', 'both', 2)]
  const to = (from: Role, to: Role): Transition => ({
    ...{ from, to, action: 'start', cause: '', generation: '1:n1' },
  })
  const first = ['web stop', 'db stop', 'log stop']
  t.deepEqual(written(leavePlan(to('stop', 'wait'), programs)), [
    'transition',
    ...first,
    'prestart',
  ])
  const started = written(enterPlan(to('wait', 'prim'), [], programs))
  const all = ['start_both', 'log start', 'start_prim', 'db start', 'web start']
  t.deepEqual(started, ['transition', ...all])
  t.deepEqual(written(enterPlan(to('wait', 'prim'), ['both', 'log', 'prim', 'db'], programs)), [
    'transition',
    'web start',
  ])
  t.deepEqual(partsOf('prim', programs), ['both', 'log', 'prim', 'db', 'web'])
  const stopped = written(leavePlan(to('prim', 'second'), programs))
  t.deepEqual(stopped, ['web stop', 'db stop', 'stop_prim x2'])
  const restart = written(restartPlan(to('prim', 'prim'), programs))
  t.deepEqual(restart, [...stopped, 'log stop', 'stop_both x2', ...all])
  const plan = leavePlan(to('prim', 'second'), programs)
  const rest = resumedPlan(plan, { script: 'db', args: ['stop'] })
  t.deepEqual(rest && written(rest), ['db stop', 'stop_prim x2'])
})
