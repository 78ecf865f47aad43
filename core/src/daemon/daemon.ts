/** Puts the daemon together: log, plugins, cluster, modules, control. Each part is made once, here. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '@holdfast/sdk'
import { ClusterService } from '../cluster/index.js'
import type { Directories } from '../files/directories.js'
import { type Discovered, discoverPlugins, pluginPaths } from '../kernel/discover.js'
import { loadTrusted } from '../kernel/load-trusted.js'
import { EventLog } from '../log/event-log.js'
import { lineOf } from '../log/print.js'
import { makeExec } from '../modules/exec.js'
import { Modules } from '../modules/modules.js'
import { CoreServices, type CoreServicesOptions } from '../modules/services.js'
import { ModuleStates } from '../modules/states.js'
import { PluginCatalog } from '../plugins/catalog.js'
import { PluginService } from '../plugins/service.js'
import { PluginStore } from '../plugins/store.js'
import { systemClock } from '../scheduling/clock.js'
import { TrustedKeys } from '../trust/keyring.js'
import { NodeControl } from './control.js'
import { NodeMembership } from './membership.js'
import { NodePlugins } from './node-plugins.js'
import { readBootId, readVersion } from './version.js'

export interface Daemon {
  readonly log: EventLog
  /** Ends the control plane only: applications, mounts and addresses stay, the next start adopts them. */
  stop(): Promise<void>
}

type Environment = Readonly<Record<string, string | undefined>>

export async function startDaemon(
  directories: Directories,
  environment: Environment,
): Promise<Daemon> {
  await makeDirectories(directories)
  const version = await readVersion()
  const bootId = await readBootId()
  const clock = systemClock
  const log = openLog(directories, environment)
  const own = log.for(undefined, undefined)
  own.write('event', 'daemonStarted', { version, pid: process.pid })

  const keys = new TrustedKeys(directories)
  const store = new PluginStore(join(directories.lib, 'plugins'), keys, version)
  const plugins = await openCatalog(store, environment, version)
  reportBroken(plugins, log)
  const cluster = await ClusterService.open({ directories, clock, log: own, version })
  const membership = new NodeMembership(cluster)
  const states = new ModuleStates()
  const parts = { clock, log, directories, bootId, modules: states, exec: makeExec() }
  const core = new CoreServices({ ...parts, ...ownPlace(membership) })
  const modules = new Modules({
    ...{ directories, core, plugins, load: loadTrusted, bootId },
    nodes: () => membership.nodes(),
    peers: membership.peersFor('core/modules', () => membership.others()),
    onState: (name, state) => {
      states.tell(name, state)
      control.moduleChanged(name, state)
    },
  })
  states.attach(modules)
  cluster.protect((node) => configuredOn(modules, node))
  const control: NodeControl = new NodeControl(version, {
    ...{ cluster, modules, log, keys },
    plugins: new PluginService({
      ...{ catalog: plugins, store, version },
      modules: () => modules.pluginSets(),
      node: () => nodePlugins,
      note: (event, fields) => {
        own.write('event', event, fields)
      },
    }),
  })
  const nodePlugins = new NodePlugins({
    ...{ directories, clock, log, core, plugins, load: loadTrusted, control },
  })
  membership.onEntered(() => modules.open())
  // Side by side: neither a slow plugin of the node nor a slow module keeps the other from its work.
  await Promise.all([nodePlugins.refresh(), membership.enter() ? modules.open() : undefined])
  own.write('info', 'daemonReady', { node: membership.self(), modules: modules.list().length })
  return {
    log,
    stop: async () => {
      const stopped = await nodePlugins.stop()
      if (!stopped.ok) own.write('warning', 'pluginNotStopped', { text: stopped.reason })
      await leave(cluster, log)
    },
  }
}

function configuredOn(modules: Modules, node: string): readonly string[] {
  return modules.list().flatMap(({ name, nodes }) => (nodes.includes(node) ? [name] : []))
}

/** Who this node is, for services. */
function ownPlace(
  membership: NodeMembership,
): Pick<CoreServicesOptions, 'self' | 'allOthers' | 'peersFor'> {
  return {
    self: () => membership.self(),
    allOthers: () => membership.others(),
    peersFor: (owner, others) => membership.peersFor(owner, others),
  }
}

/** Modules are left exactly as a crash would leave them: one way to come back, used every day. */
async function leave(cluster: ClusterService, log: EventLog): Promise<void> {
  await cluster.stop()
  log.for(undefined, undefined).write('event', 'daemonStopped', {})
  log.close()
}

async function openCatalog(
  store: PluginStore,
  environment: Environment,
  version: string,
): Promise<PluginCatalog> {
  const areOurs = (environment['HOLDFAST_PLUGINS'] ?? '') === ''
  const builtin = await discoverPlugins(pluginPaths(environment), version, areOurs)
  const plugins = new PluginCatalog(builtin, store)
  await plugins.refresh()
  return plugins
}

function reportBroken({ broken }: Discovered, log: EventLog): void {
  for (const { id, code, reason } of broken) {
    log.for(undefined, id).write('critical', 'pluginRefused', { code, text: reason })
  }
}

function openLog(directories: Directories, environment: Environment): EventLog {
  const underJournal = environment['JOURNAL_STREAM'] !== undefined
  // Whoever read the output may be gone: the file has everything.
  process.stdout.on('error', () => undefined)
  return new EventLog({
    directory: join(directories.lib, 'log'),
    clock: systemClock,
    print: (entry) => {
      if (entry.level !== 'debug') process.stdout.write(lineOf(entry, underJournal))
    },
  })
}

async function makeDirectories(directories: Directories): Promise<void> {
  try {
    await mkdir(directories.etc, { recursive: true, mode: 0o755 })
    await mkdir(join(directories.etc, 'modules'), { recursive: true, mode: 0o755 })
    await mkdir(directories.lib, { recursive: true, mode: 0o755 })
    await mkdir(directories.run, { recursive: true, mode: 0o755 })
  } catch (thrown) {
    throw new Error(`the directories of Holdfast can't be made: ${messageOf(thrown)}`, {
      cause: thrown,
    })
  }
}
