/** The API of a node: HTTP on a Unix socket, for the command line and every other tool. */
import {
  clock,
  control,
  definePlugin,
  type Deps,
  log,
  peers,
  route,
  type Scope,
} from '@holdfast/sdk'
import { Audit } from './audit.js'
import { EventStreams } from './events.js'
import { Forwarder } from './forward.js'
import { clusterRoutes } from './routes/cluster.js'
import { moduleRoutes } from './routes/modules.js'
import { packageRoutes } from './routes/packages.js'
import { rolloutRoutes } from './routes/rollout.js'
import { nodeRoutes } from './routes/node.js'
import { pluginRoutes } from './routes/plugins.js'
import { createServer, inject } from './server.js'
import { defaultSocketPath, prepareBinding } from './socket.js'
import { Waits } from './wait.js'

export interface Settings {
  /** Absolute path of the socket. */
  readonly socket?: string
}

const needs = { clock, control, log, peers, routes: route }

export const plugin = definePlugin<typeof needs, Settings>({
  needs,
  async activate(deps, settings, scope) {
    const path = settings.socket ?? defaultSocketPath(process.env['HOLDFAST_ROOT'])
    await serve(deps, path, scope)
    deps.log.write('info', 'apiListening', { socket: path })
  },
})

async function serve(deps: Deps<typeof needs>, path: string, scope: Scope): Promise<void> {
  const events = new EventStreams(deps.control, deps.clock)
  const waits = new Waits(deps.control, deps.clock)
  const audit = new Audit(deps.clock, deps.log)
  const forwarder = new Forwarder(deps.control, deps.peers)
  const app = await createServer({
    version: deps.control.version,
    routes: [
      ...nodeRoutes(deps.control),
      ...clusterRoutes(deps.control),
      ...moduleRoutes(deps.control, waits),
      ...pluginRoutes(deps.control),
      ...packageRoutes(deps.control),
      ...rolloutRoutes(deps.control),
      ...deps.routes,
    ],
    events,
    forwarder,
    audit,
    log: deps.log,
  })
  const binding = await prepareBinding(path)
  scope.onStop(async () => {
    await binding.withdraw()
    waits.endAll()
    events.endAll()
    await app.close()
    audit.end()
  })
  scope.onStop(forwarder.serve((request, from) => inject(app, request, from)))
  await app.listen({ path: binding.path })
  await binding.publish()
}
