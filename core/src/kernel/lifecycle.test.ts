/** Plugins that work, throw, hang and break their word; and what is left active afterwards. */
import {
  type Contributions,
  HoldfastError,
  live,
  type Needs,
  type PluginDefinition,
  type PluginManifest,
  point,
  token,
} from '@holdfast/sdk'
import test from 'ava'
import { systemClock } from '../scheduling/clock.js'
import { PluginSet, type PluginStatus } from './lifecycle.js'

const thing = point<string>('point.thing')
const wheel = token<{ readonly name: string }>('data.wheel')

type Activate = (
  deps: Readonly<Record<string, unknown>>,
  config: unknown,
  scope: Parameters<PluginDefinition['activate']>[2],
) => Promise<void> | void

interface Fake {
  readonly id: string
  readonly manifest?: Partial<PluginManifest>
  readonly needs?: Needs
  readonly activate?: Activate
  readonly config?: unknown
}

/** A set of fakes and a record of what happened, in order. */
function garage(): {
  readonly events: string[]
  readonly statuses: PluginStatus[]
  readonly set: PluginSet
  plan(...fakes: Fake[]): Parameters<PluginSet['apply']>[0]
} {
  const definitions = new Map<string, PluginDefinition>()
  const events: string[] = []
  const statuses: PluginStatus[] = []
  const set = new PluginSet({
    clock: systemClock,
    load: ({ manifest }) => {
      const definition = definitions.get(manifest.id)
      if (definition === undefined) throw new Error(`no fake ${manifest.id}`)
      return Promise.resolve({ definition, check: undefined })
    },
    services: () => new Map([['core.name', 'the core']]),
    onStatus: (status) => statuses.push(status),
  })
  const plan = (...fakes: Fake[]): Parameters<PluginSet['apply']>[0] =>
    fakes.map((fake) => {
      const { id } = fake
      definitions.set(id, {
        needs: fake.needs ?? {},
        activate: async (deps, config, scope) => {
          events.push(`start ${id}`)
          scope.onStop(() => {
            events.push(`stop ${id}`)
          })
          await fake.activate?.(deps, config, scope)
        },
      })
      return {
        source: { directory: `/${id}`, manifest: manifestOf(fake), trust: { kind: 'builtin' } },
        config: fake.config ?? {},
      }
    })
  return { events, statuses, set, plan }
}

function manifestOf(fake: Fake): PluginManifest {
  return {
    id: fake.id,
    version: '1.0.0',
    engines: { holdfast: '^0.1.0' },
    entry: 'index.js',
    scope: 'module',
    platforms: ['linux'],
    needs: Object.values(fake.needs ?? {}).map(({ id, kind }) => (kind === 'live' ? `${id}*` : id)),
    provides: [],
    contributes: [],
    requires: {},
    conflicts: [],
    capabilities: [],
    config: {},
    startTimeoutMs: 100,
    stopTimeoutMs: 100,
    ...fake.manifest,
  }
}

const contributor = (id: string, name: string): Fake => ({
  id,
  manifest: { contributes: ['point.thing'] },
  activate: (_deps, _config, scope) => {
    scope.contribute(thing, name, `${name} of ${id}`)
  },
})

test('plugins receive tokens, contributions ordered by id, and the services of the core', async (t) => {
  const { set, plan } = garage()
  let received: Readonly<Record<string, unknown>> = {}
  const verdict = await set.apply(
    plan(
      contributor('a', 'second'),
      contributor('b', 'first'),
      {
        id: 'c',
        manifest: { provides: ['data.wheel'] },
        activate: (_deps, _config, scope) => {
          scope.provide(wheel, { name: 'round' })
        },
      },
      {
        id: 'd',
        needs: { wheel, things: thing, name: token<string>('core.name') },
        activate: (deps) => {
          received = deps
        },
      },
    ),
  )
  t.deepEqual(verdict, { ok: true })
  t.deepEqual(received, {
    wheel: { name: 'round' },
    things: ['first of b', 'second of a'],
    name: 'the core',
  })
  t.deepEqual(set.contributions(thing), ['first of b', 'second of a'])
})

test('an optional need that nobody provides arrives as undefined', async (t) => {
  const { set, plan } = garage()
  let received: unknown = 'nothing'
  const verdict = await set.apply(
    plan({
      id: 'a',
      needs: { wheel },
      manifest: { needs: ['data.wheel?'] },
      activate: (deps) => {
        received = deps['wheel']
      },
    }),
  )
  t.true(verdict.ok)
  t.is(received, undefined)
})

test('stop runs in reverse order', async (t) => {
  const { set, plan, events } = garage()
  await set.apply(plan({ id: 'a' }, { id: 'b' }, { id: 'c' }))
  t.deepEqual(await set.stop(), { ok: true })
  t.deepEqual(events, ['start a', 'start b', 'start c', 'stop c', 'stop b', 'stop a'])
})

const failures: readonly [string, Activate, string][] = [
  [
    'throws before its first await',
    () => {
      throw new Error('broken')
    },
    'E_PLUGIN_ACTIVATE',
  ],
  ['rejects', () => Promise.reject(new Error('broken')), 'E_PLUGIN_ACTIVATE'],
  ['throws an error of ours', () => Promise.reject(new HoldfastError('E_MINE', 'no')), 'E_MINE'],
  ['hangs', () => new Promise(() => undefined), 'E_TIMEOUT'],
  [
    'contributes without saying so',
    (_deps, _config, scope) => {
      scope.contribute(thing, 'x', 'x')
    },
    'E_PLUGIN_CONTRIBUTION',
  ],
  [
    'provides without saying so',
    (_deps, _config, scope) => {
      scope.provide(wheel, { name: 'x' })
    },
    'E_PLUGIN_PROVIDES',
  ],
]

for (const [what, activate, code] of failures) {
  test(`a plugin that ${what} fails the set, and the half activation is unwound`, async (t) => {
    const { set, plan, events, statuses } = garage()
    const verdict = await set.apply(plan({ id: 'a' }, { id: 'b', activate }, { id: 'c' }))
    t.false(verdict.ok)
    t.is(verdict.ok ? '' : verdict.code, code)
    t.regex(verdict.ok ? '' : verdict.reason, /plugin b/)
    t.deepEqual(events, ['start a', 'start b', 'stop b', 'stop a'])
    t.deepEqual(set.contributions(thing), [])
    t.true(statuses.some(({ id, state }) => id === 'b' && state === 'failed'))
  })
}

test('a promised token that was not provided is a failure', async (t) => {
  const { set, plan } = garage()
  const verdict = await set.apply(plan({ id: 'a', manifest: { provides: ['data.wheel'] } }))
  t.is(verdict.ok ? '' : verdict.code, 'E_PLUGIN_PROVIDES')
})

test('the same contribution id from two plugins is a failure', async (t) => {
  const { set, plan } = garage()
  const verdict = await set.apply(plan(contributor('a', 'x'), contributor('b', 'x')))
  t.is(verdict.ok ? '' : verdict.code, 'E_PLUGIN_CONTRIBUTION')
})

test('the scope is sealed when the activation has ended', async (t) => {
  const { set, plan } = garage()
  let late: () => void = () => undefined
  await set.apply(
    plan({
      id: 'a',
      manifest: { contributes: ['point.thing'] },
      activate: (_deps, _config, scope) => {
        late = () => {
          scope.contribute(thing, 'late', 'late')
        }
      },
    }),
  )
  const error = t.throws(late, { instanceOf: HoldfastError })
  t.is(error.code, 'E_PLUGIN_SEALED')
  t.deepEqual(set.contributions(thing), [])
})

test('a stop that throws or hangs does not keep the other plugins from stopping', async (t) => {
  const { set, plan, events } = garage()
  await set.apply(
    plan(
      { id: 'a' },
      {
        id: 'b',
        activate: (_deps, _config, scope) => {
          scope.onStop(() => {
            throw new Error('stuck')
          })
        },
      },
      {
        id: 'c',
        activate: (_deps, _config, scope) => {
          scope.onStop(() => new Promise(() => undefined))
        },
      },
    ),
  )
  const verdict = await set.stop()
  t.is(verdict.ok ? '' : verdict.code, 'E_TIMEOUT') // Of c, which is stopped first.
  t.deepEqual(events.slice(3), ['stop b', 'stop a'])
})

test('unchanged plugins are kept, changed ones and those that need them are replaced', async (t) => {
  const { set, plan, events } = garage()
  const needer: Fake = { id: 'needer', needs: { things: thing } }
  const other: Fake = { id: 'other' }
  await set.apply(plan(contributor('giver', 'x'), other, needer))
  events.length = 0
  await set.apply(plan({ ...contributor('giver', 'x'), config: { changed: true } }, other, needer))
  t.deepEqual(events, ['stop needer', 'stop giver', 'start giver', 'start needer'])
  events.length = 0
  await set.apply(plan({ ...contributor('giver', 'x'), config: { changed: true } }, needer))
  t.deepEqual(events, ['stop other'])
})

test('a plugin with a live need goes on while contributors change, and knows before they stop', async (t) => {
  const { set, plan, events } = garage()
  const host: Fake = {
    id: 'host',
    needs: { things: live(thing) },
    activate: ({ things }) => {
      const { all, watch } = things as Contributions<string> // What a live need receives.
      watch(() => {
        events.push(`host sees ${[...all()].join(' ')}`)
      })
    },
  }
  const giver = contributor('giver', 'x')
  await set.apply(plan(giver, host))
  events.length = 0
  t.deepEqual(await set.apply(plan({ ...giver, config: { changed: true } }, host)), { ok: true })
  t.deepEqual(events, ['host sees ', 'stop giver', 'start giver', 'host sees x,x of giver'])
  events.length = 0
  t.deepEqual(await set.apply(plan(contributor('other', 'y'), host)), { ok: true })
  t.deepEqual(events, ['host sees ', 'stop giver', 'start other', 'host sees y,y of other'])
  events.length = 0
  await set.stop()
  t.deepEqual(events, ['stop host', 'stop other'])
})

test('a watcher that throws or hangs is named, and the change is carried out', async (t) => {
  const { set, plan, statuses } = garage()
  for (const on of [
    () => Promise.reject(new Error('deaf')),
    () => new Promise<void>(() => undefined),
  ]) {
    const host: Fake = {
      id: 'host',
      needs: { things: live(thing) },
      config: { on: String(on) },
      activate: ({ things }) => {
        ;(things as Contributions<string>).watch(on)
      },
    }
    await set.apply(plan(contributor('giver', 'x'), host))
    const verdict = await set.apply(plan(contributor('giver', 'y'), host))
    t.deepEqual(verdict, { ok: true }) // Equal configuration: the giver is kept, nothing to tell.
    const changed = await set.apply(plan({ ...contributor('giver', 'z'), config: { z: 1 } }, host))
    t.is(changed.ok ? '' : changed.code, 'E_PLUGIN_WATCH')
    t.deepEqual(set.contributions(thing), ['z of giver'])
    t.is(statuses.findLast(({ failure }) => failure !== undefined)?.id, 'host')
  }
})

test('a plugin that fails beside others that go on leaves those alone', async (t) => {
  const { set, plan, events } = garage()
  await set.apply(plan({ id: 'role' }))
  events.length = 0
  const bad: Fake = {
    id: 'bad',
    activate: () => {
      throw new Error('boom')
    },
  }
  const verdict = await set.apply(plan({ id: 'good' }, bad, { id: 'role' }))
  t.deepEqual(verdict, { ok: false, code: 'E_PLUGIN_ACTIVATE', reason: 'plugin bad: boom' })
  t.deepEqual(events, ['start good', 'start bad', 'stop bad', 'stop good'])
})

test('a plugin can not change the configuration that decides whether it is kept', async (t) => {
  const { set, plan, events } = garage()
  const vandal: Fake = {
    id: 'a',
    config: { list: [1] },
    activate: (_deps, config) => {
      Object.assign(config as object, { list: [] }) // On purpose: what a careless plugin does.
    },
  }
  const planned = plan(vandal)
  await set.apply(planned)
  await set.apply(planned)
  t.deepEqual(events, ['start a'])
})
