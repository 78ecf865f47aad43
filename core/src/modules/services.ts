/** The core's services as one plugin of one module receives them. */
import { join } from 'node:path'
import {
  type Clock,
  clock,
  control,
  type Control,
  type Exec,
  exec,
  type Liveness,
  liveness,
  log,
  moduleContext,
  type ModuleContext,
  modules,
  type Peers,
  peers,
  store,
} from '@holdfast/sdk'
import type { Directories } from '../files/directories.js'
import { satisfies } from '../kernel/versions.js'
import type { EventLog } from '../log/event-log.js'
import type { Choice } from '../plugins/catalog.js'
import { layoutOf } from './layout.js'
import type { ModuleStates } from './states.js'
import type { Installed } from './plan.js'
import { openStore } from './store.js'

const everywhere = [clock.id, log.id, store.id, peers.id, exec.id]

/** Tokens that the core gives to a plugin of this scope. */
export const coreTokens = {
  module: [...everywhere, moduleContext.id, modules.id, liveness.id],
  node: [...everywhere, control.id],
}

export interface CoreServicesOptions {
  readonly clock: Clock
  readonly log: EventLog
  readonly exec: Exec
  readonly directories: Directories
  readonly bootId: string
  readonly modules: ModuleStates
  readonly self: () => string
  /** Peers of an owner: `<module>/<plugin>` or `node/<plugin>`. */
  readonly peersFor: (owner: string, others: () => readonly string[]) => Peers
  readonly allOthers: () => readonly string[]
}

export class CoreServices {
  readonly clock: Clock
  readonly log: EventLog
  readonly exec: Exec

  constructor(private readonly options: CoreServicesOptions) {
    this.clock = options.clock
    this.log = options.log
    this.exec = options.exec
  }

  self(): string {
    return this.options.self()
  }

  forModule(context: ModuleContext, plugin: string): ReadonlyMap<string, unknown> {
    const { directories, bootId } = this.options
    const layout = layoutOf(directories, context.name)
    const others = (): readonly string[] => context.nodes.filter((node) => node !== context.node)
    return new Map<string, unknown>([
      [clock.id, this.clock],
      [exec.id, this.exec],
      [log.id, this.log.for(context.name, plugin)],
      [moduleContext.id, context],
      [modules.id, this.options.modules],
      [liveness.id, { alive: () => this.options.modules.alive(context.name) } satisfies Liveness],
      [peers.id, this.options.peersFor(`${context.name}/${plugin}`, others)],
      [
        store.id,
        openStore({
          directory: join(layout.state, plugin),
          volatileDirectory: join(layout.run, 'state', plugin),
          bootId,
        }),
      ],
    ])
  }

  forNode(plugin: string, nodeControl: Control): ReadonlyMap<string, unknown> {
    const { directories, bootId, allOthers } = this.options
    return new Map<string, unknown>([
      [clock.id, this.clock],
      [exec.id, this.exec],
      [log.id, this.log.for(undefined, plugin)],
      [control.id, nodeControl],
      [peers.id, this.options.peersFor(`node/${plugin}`, allOthers)],
      [
        store.id,
        openStore({
          directory: join(directories.lib, 'state', plugin),
          volatileDirectory: join(directories.run, 'state', plugin),
          bootId,
        }),
      ],
    ])
  }
}

export function installedFor(scope: 'node' | 'module', choice: Choice): Installed {
  return {
    platform: process.platform,
    available: choice.sources.map(({ manifest }) => manifest),
    broken: choice.broken,
    disabled: choice.disabled,
    coreTokens: coreTokens[scope],
    satisfies,
  }
}
