/** notify: what an operator must know goes out through each notifier, once, in order, and not too often. */
import { clock, control, definePlugin, log, notifier, route, store } from '@holdfast/sdk'
import { Channel } from './channel.js'
import { startFeed } from './feed.js'
import { routesOf } from './routes.js'
import type { Settings } from './settings.js'

const needs = { clock, control, log, notifiers: notifier, store }

export const plugin = definePlugin<typeof needs, Settings>({
  needs,
  async activate({ clock, control, log, notifiers, store }, settings, scope) {
    const origin = (): { cluster: string; node: string } => {
      const { cluster, self } = control.cluster()
      return { cluster: cluster ?? 'no-cluster', node: self ?? 'unnamed' }
    }
    const rate = {
      messagesMax: settings.messagesMax,
      intervalMs: settings.intervalSeconds * 1_000,
    }
    const channels = notifiers.map((one) => new Channel(one, { clock, log, store, rate, origin }))
    for (const [id, one] of routesOf({ channels, clock, origin })) scope.contribute(route, id, one)
    scope.onStop(await startFeed({ control, log, channels, settings }))
  },
})
