/** Registries of modules: found by name, checked by signature and hash, brought here, and offered to the other nodes. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { clock, control, definePlugin, log, peers, route, store } from '@holdfast/sdk'
import { ArchiveStore } from './download.js'
import { Jobs } from './jobs.js'
import { Market } from './market.js'
import { serveArchives } from './peers.js'
import { Registries } from './registries.js'
import { routes } from './routes.js'

export interface Settings {
  readonly directory?: string
  readonly bundled?: string
}

const delivered = fileURLToPath(new URL('../../../modules-registry/dist', import.meta.url))

const needs = { clock, control, log, peers, store }

export const plugin = definePlugin<typeof needs, Settings>({
  needs,
  async activate(deps, settings, scope) {
    const root = process.env['HOLDFAST_ROOT'] ?? '/'
    const directory = settings.directory ?? join(root, 'var/lib/holdfast/registry')
    const registries = new Registries({
      ...{ directory: join(directory, 'indexes'), store: deps.store, control: deps.control },
      ...{ log: deps.log, nowMs: () => deps.clock.wallMs() },
    })
    await registries.open()
    const market = new Market({
      ...{ registries, peers: deps.peers, control: deps.control, store: deps.store },
      archives: new ArchiveStore(join(directory, 'archives')),
      bundled: settings.bundled ?? delivered,
    })
    const jobs = new Jobs(deps.clock, (text) => {
      deps.log.write('critical', 'jobFailed', { text: `a download failed by a defect: ${text}` })
    })
    scope.onStop(() => {
      jobs.endAll()
    })
    scope.onStop(serveArchives(deps.peers, market))
    for (const [id, one] of routes({ registries, market, jobs })) scope.contribute(route, id, one)
  },
})
