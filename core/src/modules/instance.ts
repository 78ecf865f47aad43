/**
 * One module that is configured on this node: its plugins, and the topology that decides about its role. A plugin
 * that fails makes its module fail, with a code and a sentence, and nothing else.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import {
  type Cancel,
  type Command,
  command,
  type CommandOptions,
  done,
  HoldfastError,
  messageOf,
  type ModuleContext,
  type ModuleState,
  type OperatorCommand,
  type PluginActivity,
  refused,
  remark,
  type Topology,
  topology,
  type Verdict,
} from '@holdfast/sdk'
import { activityOf, PluginSet, type PluginStatus } from '../kernel/lifecycle.js'
import type { PluginLoader } from '../kernel/loader.js'
import { expectedFailure } from '../files/failure.js'
import { readVersioned, writeVersioned } from '../files/versioned.js'
import type { PluginCatalog } from '../plugins/catalog.js'
import { within } from '../scheduling/deadline.js'
import { invalid } from '../xml/bind.js'
import { type AppliedModule, readApplied } from './applied.js'
import { malformedCommand } from './commands.js'
import type { ModuleLayout } from './layout.js'
import { LiveMark } from './live-mark.js'
import { planModule } from './plan.js'
import { remarksOf } from './remarks.js'
import { type CoreServices, installedFor } from './services.js'
import { type BootRule, bootRuleOf, parseUserConfig } from './userconfig.js'

const wantedFormat = { format: 'module-wanted', version: 1 }
/** What a plugin may take to accept an order; carrying it out takes as long as it takes. */
const commandTimeoutMs = 30_000

export interface InstanceOptions {
  readonly name: string
  readonly layout: ModuleLayout
  readonly core: CoreServices
  readonly plugins: Pick<PluginCatalog, 'choose'>
  readonly load: PluginLoader
  readonly bootId: string
  readonly onState: (state: ModuleState) => void
}

export interface InstanceFailure {
  readonly code: string
  readonly reason: string
}

export class ModuleInstance {
  private readonly set: PluginSet
  private readonly statuses = new Map<string, PluginStatus>()
  private applied: AppliedModule | undefined
  private topology: Topology | undefined
  private unwatch: Cancel = () => undefined
  private boot: BootRule = { mode: 'off', delayMs: 0 }
  private cancelBoot: Cancel = () => undefined
  private readonly mark: LiveMark
  failure: InstanceFailure | undefined

  constructor(private readonly options: InstanceOptions) {
    const { core, load, name } = options
    this.mark = new LiveMark(options.layout.run, options.bootId)
    this.set = new PluginSet({
      clock: core.clock,
      load,
      services: (plugin) => core.forModule(this.context(), plugin),
      onStatus: (status) => {
        this.onStatus(status)
      },
    })
    core.log.for(name, undefined).write('debug', 'moduleFound', {})
  }

  /** Undefined while the module is not configured here. */
  get current(): AppliedModule | undefined {
    return this.applied
  }

  state(): ModuleState | undefined {
    return this.topology?.state()
  }

  async alive(): Promise<void> {
    await this.topology?.alive?.()
  }

  /** The role that its topology says, or said last since this boot: a module that failed may still run. */
  lastRole(): string {
    return this.topology?.state().role ?? this.mark.role ?? 'STOP'
  }

  /** By the words that are typed; none while the plugins of the module do not run. */
  commands(): ReadonlyMap<string, Command> {
    return this.set.contributionsOf(command)
  }

  /** What its plugins want the operator to see beside its state. */
  remarks(): readonly string[] {
    return remarksOf(this.set.contributionsOf(remark))
  }

  activity(): readonly PluginActivity[] {
    return activityOf(this.set, this.statuses)
  }

  /** Adopts what runs since this boot; otherwise, when the daemon starts, starts what is to start at boot. */
  async open(isDaemonStart: boolean): Promise<void> {
    const wasLive = await this.mark.read()
    await this.guarded(async () => {
      const verdict = await this.activate()
      if (!verdict.ok) return verdict
      if (wasLive) return await this.begin('adopt')
      const starts = isDaemonStart && (await this.startsAtBoot())
      if (!starts || this.boot.delayMs === 0) return await this.begin(starts ? 'start' : 'rest')
      this.startLater()
      return await this.begin('rest')
    })
  }

  private async retry(): Promise<void> {
    if (this.topology === undefined) await this.open(false)
    else if (this.topology.state().role === 'STOP') await this.reconfigure()
  }

  /**
   * After a new configuration was applied: unchanged plugins go on, the others are replaced. A role that goes on keeps
   * its plugins also when one of the others fails: the module shows that failure beside its state.
   */
  async reconfigure(): Promise<void> {
    await this.guarded(async () => {
      const before = this.topology
      const verdict = await this.activate()
      if (!verdict.ok || this.topology === before) return verdict
      // Corrected after a failure: what its predecessor ran may still be there.
      const mayRun = before === undefined && this.mark.role !== undefined
      return await this.begin(mayRun ? 'adopt' : 'rest')
    }, true)
  }

  async order(order: OperatorCommand, options: CommandOptions): Promise<Verdict> {
    if (this.failure !== undefined) await this.retry()
    // Beside a role that goes on one plugin may have failed: orders to what runs are needed then, a start is not.
    const rests = this.topology?.state().role === 'STOP'
    if (this.topology === undefined || (this.failure !== undefined && rests)) {
      const { code, reason } = this.failure ?? {
        code: 'E_MODULE_UNCONFIGURED',
        reason: 'is not configured',
      }
      return refused(code, `module ${this.options.name}: ${reason}`, 'correct this first')
    }
    this.cancelBoot() // Whoever orders something decides instead of the boot.
    if (options.identity === undefined) await this.remember(order)
    const what = `module ${this.options.name}: the order ${order}`
    const { clock } = this.options.core
    return await within(clock, commandTimeoutMs, what, this.topology.command(order, options))
  }

  /** Stops the plugins, not the application: what runs is adopted by the next start of the daemon. */
  async close(): Promise<Verdict> {
    this.cancelBoot()
    this.unwatch()
    this.topology = undefined
    const stopped = await this.set.stop()
    await this.mark.settled()
    return stopped
  }

  /** `boot_delay`: a restart of the daemon meanwhile ends the wait, the operator then starts the module. */
  private startLater(): void {
    const { core, name } = this.options
    const log = core.log.for(name, undefined)
    const { delayMs } = this.boot
    log.write('event', 'bootDelayed', { text: `starts in ${String(delayMs / 1_000)} s`, delayMs })
    this.cancelBoot = core.clock.after(delayMs, () => {
      this.order('start', { cause: 'boot' }).then(
        (verdict) => {
          if (!verdict.ok) log.write('critical', 'bootRefused', { text: verdict.reason })
        },
        (thrown: unknown) => {
          log.write('critical', 'bootRefused', { text: expectedFailure(thrown).message })
        },
      )
    })
  }

  private async activate(): Promise<Verdict> {
    const { layout, name, core, plugins } = this.options
    const applied = await readApplied(layout)
    if (applied === undefined)
      return refused('E_MODULE_UNCONFIGURED', `module ${name} is not configured`)
    // Whom a plugin talks to is settled when it starts: no instance outlives a change of its neighbours.
    const before = this.applied?.nodes ?? applied.nodes
    const closed = isDeepStrictEqual(before, applied.nodes) ? done : await this.close()
    if (!closed.ok) return closed
    this.applied = applied
    const { service } = parseUserConfig(applied.userConfig, applied.file)
    const choice = plugins.choose(applied.plugins ?? {})
    const result = planModule(service, installedFor('module', choice))
    if (!result.ok) throw invalid(applied.file, result.findings)
    for (const path of [layout.state, layout.run, layout.logs]) {
      await mkdir(path, { recursive: true, mode: 0o755 })
    }
    const planned = result.plan.plugins.map(({ manifest, config }) => {
      const source = choice.sources.find((one) => one.manifest === manifest)
      if (source === undefined) throw new HoldfastError('E_PLUGIN_GONE', `${manifest.id} is gone`)
      return { source, config }
    })
    const own = planned.find(({ source }) => source.manifest.id === result.plan.topology)
    this.boot = bootRuleOf(own?.config)
    for (const [id, { state }] of this.statuses) {
      if (state !== 'active') this.statuses.delete(id)
    }
    const verdict = await this.set.apply(planned)
    if (!verdict.ok) return verdict
    core.log.for(name, undefined).write('info', 'pluginsActive', {
      plugins: planned.map(({ source }) => `${source.manifest.id} ${source.manifest.version}`),
    })
    const malformed = malformedCommand(this.commands())
    if (malformed !== undefined) return refused('E_PLUGIN_COMMAND', malformed)
    return this.adoptTopology(result.plan.topology)
  }

  private adoptTopology(plugin: string): Verdict {
    const found = this.set.contributions(topology)
    const [only] = found
    if (only === undefined || found.length > 1) {
      const what = `contributes ${String(found.length)} topologies, it must be one`
      return refused('E_PLUGIN_TOPOLOGY', `plugin ${plugin} ${what}`)
    }
    if (only === this.topology) return done
    this.unwatch()
    this.topology = only
    this.unwatch = only.watch((state) => {
      this.onState(state)
    })
    return done
  }

  /** The mark is written first: after a crash in `begin`, adopting nothing is right and starting twice is not. */
  private async begin(mode: 'rest' | 'adopt' | 'start'): Promise<Verdict> {
    const { layout, core, name } = this.options
    if (mode !== 'adopt') await this.mark.write('STOP')
    core.log.for(name, undefined).write('info', 'moduleBegins', { mode, run: layout.run })
    if (this.topology === undefined) return refused('E_PLUGIN_TOPOLOGY', 'there is no topology')
    const what = `module ${name}: its beginning (${mode})`
    return await within(core.clock, commandTimeoutMs, what, this.topology.begin(mode))
  }

  /** Whatever goes wrong here concerns this module only. */
  private async guarded(work: () => Promise<Verdict>, mayGoOn = false): Promise<void> {
    const topologyBefore = this.topology
    let verdict: Verdict
    try {
      verdict = await work()
    } catch (thrown) {
      const code = thrown instanceof HoldfastError ? thrown.code : 'E_MODULE_FAILED'
      verdict = refused(code, messageOf(thrown))
    }
    this.failure = verdict.ok ? undefined : { code: verdict.code, reason: verdict.reason }
    if (verdict.ok) return
    const log = this.options.core.log.for(this.options.name, undefined)
    log.write('critical', 'moduleFailed', { code: verdict.code, text: verdict.reason })
    if (this.topology === undefined) return
    const goesOn = this.topology === topologyBefore
    if (goesOn && mayGoOn && this.set.contributions(topology).includes(this.topology)) return
    // A topology whose plugins are gone would give orders to nobody.
    await this.close()
  }

  private context(): ModuleContext {
    const { layout, core, name } = this.options
    const applied = (): AppliedModule => {
      if (this.applied === undefined) throw new Error(`module ${name} has no configuration`)
      return this.applied
    }
    return {
      name,
      node: core.self(),
      get id() {
        return applied().id
      },
      get nodes() {
        return applied().nodes
      },
      get configDigest() {
        return applied().digest
      },
      directories: {
        package: join(layout.applied, 'package'),
        state: layout.state,
        run: layout.run,
        logs: layout.logs,
      },
    }
  }

  private onState(state: ModuleState): void {
    const { core, name, onState } = this.options
    this.mark.write(state.role).catch((thrown: unknown) => {
      const { code, message } = expectedFailure(thrown)
      core.log.for(name, undefined).write('warning', 'roleNotMarked', { code, text: message })
    })
    onState(state)
  }

  private onStatus(status: PluginStatus): void {
    this.statuses.set(status.id, status)
    const { core, name } = this.options
    const { failure } = status
    if (failure === undefined) return
    const fields = { code: failure.code, text: failure.reason }
    core.log.for(name, status.id).write('critical', 'pluginFailed', fields)
  }

  private async startsAtBoot(): Promise<boolean> {
    if (this.boot.mode !== 'auto') return this.boot.mode === 'on'
    const body = await readVersioned(join(this.options.layout.home, 'wanted.json'), wantedFormat)
    return typeof body === 'object' && body !== null && 'started' in body && body.started === true
  }

  /** For `boot="auto"`: was the module started by the operator when the node went down? */
  private async remember(order: OperatorCommand): Promise<void> {
    const isStart = ['start', 'prim', 'primforce', 'second'].includes(order)
    const isStop = ['stop', 'forcestop'].includes(order)
    if (!isStart && !isStop) return
    const path = join(this.options.layout.home, 'wanted.json')
    await writeVersioned(path, wantedFormat, { started: isStart })
  }
}
