/** Two changes of one set of plugins at the same time: an order that arrives while the daemon still opens its modules. */
import { definePlugin, type PluginManifest } from '@holdfast/sdk'
import test from 'ava'
import { systemClock } from '../scheduling/clock.js'
import { PluginSet } from './lifecycle.js'

const manifest: PluginManifest = {
  ...{ id: 'slow', version: '1.0.0', engines: { holdfast: '^0.1.0' }, entry: 'index.js' },
  ...{ scope: 'module', platforms: ['linux'], needs: [], provides: [], contributes: [] },
  ...{ requires: {}, conflicts: [], capabilities: [], config: {} },
  ...{ startTimeoutMs: 10_000, stopTimeoutMs: 10_000 },
}

test('a set that is changed twice at the same time never has two instances of one plugin', async (t) => {
  let running = 0
  let mostRunning = 0
  const definition = definePlugin({
    needs: {},
    activate: async (_deps, _config, scope) => {
      running += 1
      mostRunning = Math.max(mostRunning, running)
      scope.onStop(() => {
        running -= 1
      })
      await new Promise((resolve) => setImmediate(resolve))
    },
  })
  const set = new PluginSet({
    clock: systemClock,
    load: () => Promise.resolve({ definition, check: undefined }),
    services: () => new Map(),
    onStatus: () => undefined,
  })
  const source = { manifest, directory: '/slow', trust: { kind: 'builtin' } } as const
  const first = set.apply([{ source, config: { number: 1 } }])
  const second = set.apply([{ source, config: { number: 2 } }])
  const stopped = set.stop()
  for (const verdict of await Promise.all([first, second, stopped])) t.true(verdict.ok)
  t.is(mostRunning, 1)
  t.is(running, 0)
})
