/** metrics: what Prometheus can know about this node. Off until an address is configured: an HA daemon opens no port unasked. */
import { clock, control, definePlugin, log } from '@holdfast/sdk'
import { Collector } from './collect.js'
import { figuresOf } from './figures.js'
import { listen } from './server.js'
import { textOf } from './text.js'

interface Settings {
  readonly address?: string
  readonly port?: number
}

const portDefault = 9_188
const needs = { clock, control, log }

export const plugin = definePlugin<typeof needs, Settings>({
  needs,
  async activate({ clock, control, log }, { address, port = portDefault }, scope) {
    if (address === undefined) return
    const collector = new Collector(control, clock)
    scope.onStop(() => {
      collector.stop()
    })
    const text = async (): Promise<string> => textOf(figuresOf(await collector.snapshot()))
    const listening = await listen({ address, port }, text)
    scope.onStop(() => listening.stop())
    const where = `http://${address.includes(':') ? `[${address}]` : address}:${String(listening.port)}/metrics`
    log.write('info', 'metricsServed', { text: `figures for Prometheus at ${where}`, where })
  },
})
