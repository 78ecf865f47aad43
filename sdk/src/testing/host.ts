/**
 * Runs one plugin without a cluster, by the rules of the real host: it gets what it needs and nothing else, gives what its
 * manifest says, and is stopped in reverse.
 */
import { mkdtemp, mkdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { clock, exec, log, moduleContext, type ModuleContext, peers, store } from '../services.js'
import { liveness, modules } from '../modules.js'
import type { PluginManifest } from '../manifest.js'
import type { Deps, Needs, PluginDefinition, Scope } from '../plugin.js'
import type { Contributions, Point, Token } from '../token.js'
import type { Topology } from '../topology.js'
import { TestClock } from './clock.js'
import { TestNetwork } from './peers.js'
import { TestExec, TestLog, TestStore } from './services.js'

export interface TestServices {
  readonly clock: TestClock
  readonly log: TestLog
  readonly store: TestStore
  readonly exec: TestExec
  readonly network: TestNetwork
}

export interface TestSetting {
  /** What of `plugin.json` the host looks at; unset: everything is allowed. */
  readonly manifest?: Pick<PluginManifest, 'needs' | 'provides' | 'contributes'>
  /** With all defaults: the test host knows no schema. */
  readonly config: unknown
  readonly node?: string
  readonly nodes?: readonly string[]
  /** Those of an earlier run, to see what a plugin makes of its own traces. */
  readonly services?: Partial<TestServices>
  /** Instances of tokens that other plugins would provide, by id. */
  readonly provided?: Readonly<Record<string, unknown>>
  /** Contributions of other plugins: point → id → contribution. */
  readonly contributed?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

export interface TestHost extends TestServices {
  readonly module: ModuleContext
  /** Contributions of the plugin to a point, by id. */
  contributions<T>(point: Point<T>): ReadonlyMap<string, T>
  /** The one contribution with this id; throws when there is none. */
  contribution<T>(point: Point<T>, id: string): T
  provided<T>(token: Token<T>): T | undefined
  /** Other plugins come and go: what a live need sees from now on. */
  contribute<T>(point: Point<T>, id: string, contribution: T | undefined): Promise<void>
  /** All stops in reverse; removes the directories. */
  stop(): Promise<void>
}

/** Throws what `activate` throws, after the stops that it had registered by then. */
export async function startPlugin<N extends Needs, C>(
  plugin: PluginDefinition<N, C>,
  setting: TestSetting,
): Promise<TestHost> {
  const { node = 'n1', nodes = ['n1', 'n2'], services = {}, manifest } = setting
  const own: TestServices = {
    clock: services.clock ?? new TestClock(),
    log: services.log ?? new TestLog(),
    store: services.store ?? new TestStore(),
    exec: services.exec ?? new TestExec(),
    network: services.network ?? new TestNetwork(nodes),
  }
  const root = await mkdtemp(join(tmpdir(), 'holdfast-plugin-'))
  const module = await moduleAt(root, node, nodes)
  const points = new TestPoints(setting.contributed ?? {})
  const scope = new TestScope(manifest)
  const finish = async (): Promise<void> => {
    for (const stop of scope.stops.splice(0).reverse()) await stop()
    await rm(root, { recursive: true, force: true })
  }
  const instances = new Map<string, unknown>([
    [clock.id, own.clock],
    [log.id, own.log],
    [store.id, own.store],
    [exec.id, own.exec],
    [peers.id, own.network.node(node)],
    [moduleContext.id, module],
    [modules.id, { state: () => undefined, watch: () => () => undefined }],
    [liveness.id, { alive: () => Promise.resolve() }],
    ...Object.entries(setting.provided ?? {}),
  ])
  try {
    const deps = dependencies(plugin.needs, instances, points)
    // The host validated the configuration by the schema; a test writes it by hand.
    await plugin.activate(deps, structuredClone(setting.config) as C, scope)
    scope.seal()
  } catch (thrown) {
    scope.seal()
    await finish()
    throw thrown
  }
  return {
    ...own,
    module,
    contributions: (point) => scope.given(point),
    contribution: (point, id) => {
      const found = scope.given(point).get(id)
      if (found === undefined) throw new Error(`the plugin contributes no "${id}" to ${point.id}`)
      return found
    },
    provided: <T>(token: Token<T>) => scope.provided.get(token.id) as T | undefined, // Provided under this token.
    contribute: (point, id, contribution) => points.set(point.id, id, contribution),
    stop: finish,
  }
}

/** A topology that is told what it is, for plugins that follow one. */
export function testTopology(): Topology & {
  become(state: Partial<ReturnType<Topology['state']>>): void
  readonly ordered: readonly string[]
} {
  const watchers = new Set<Parameters<Topology['watch']>[0]>()
  const ordered: string[] = []
  let state: ReturnType<Topology['state']> = {
    role: 'STOP',
    sub: 'NotReady',
    detail: undefined,
    cause: 'a test',
    hint: undefined,
    sinceMs: 0,
    generation: undefined,
    progress: undefined,
    remote: undefined,
  }
  return {
    ordered,
    become: (next) => {
      state = { ...state, ...next }
      for (const on of [...watchers]) on(state)
    },
    command: (command) => {
      ordered.push(command)
      return Promise.resolve({ ok: true })
    },
    state: () => state,
    watch: (on) => {
      watchers.add(on)
      return () => watchers.delete(on)
    },
    begin: () => Promise.resolve({ ok: true }),
  }
}

async function moduleAt(
  root: string,
  node: string,
  nodes: readonly string[],
): Promise<ModuleContext> {
  const directories = {
    package: join(root, 'package'),
    state: join(root, 'state'),
    run: join(root, 'run'),
    logs: join(root, 'logs'),
  }
  for (const path of Object.values(directories)) await mkdir(path)
  await mkdir(join(directories.package, 'bin'))
  return { name: 'test', id: 1, node, nodes, directories, configDigest: '' }
}

function dependencies<N extends Needs>(
  needs: N,
  instances: ReadonlyMap<string, unknown>,
  points: TestPoints,
): Deps<N> {
  const deps = Object.entries(needs).map(([name, { kind, id }]) => {
    if (kind === 'token') return [name, instances.get(id)]
    return [name, kind === 'live' ? points.live(id) : [...points.all(id).values()]]
  })
  return Object.fromEntries(deps) as Deps<N> // Each name was filled from the need of that name.
}

class TestPoints {
  private readonly values = new Map<string, Map<string, unknown>>()
  private readonly watchers = new Set<{ readonly point: string; on(): Promise<void> | void }>()

  constructor(given: Readonly<Record<string, Readonly<Record<string, unknown>>>>) {
    for (const [point, all] of Object.entries(given)) {
      this.values.set(point, new Map(Object.entries(all)))
    }
  }

  all(point: string): ReadonlyMap<string, unknown> {
    return new Map([...(this.values.get(point) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  live(point: string): Contributions<unknown> {
    return {
      all: () => this.all(point),
      watch: (on) => {
        const watcher = { point, on }
        this.watchers.add(watcher)
        return () => this.watchers.delete(watcher)
      },
    }
  }

  async set(point: string, id: string, contribution: unknown): Promise<void> {
    const all = this.values.get(point) ?? new Map<string, unknown>()
    this.values.set(point, all)
    if (contribution === undefined) all.delete(id)
    else all.set(id, contribution)
    for (const watcher of this.watchers) if (watcher.point === point) await watcher.on()
  }
}

class TestScope implements Scope {
  readonly stops: (() => Promise<void> | void)[] = []
  readonly provided = new Map<string, unknown>()
  private readonly contributions = new Map<string, Map<string, unknown>>()
  private sealed = false

  constructor(private readonly manifest: TestSetting['manifest']) {}

  contribute<T>(point: Point<T>, id: string, contribution: T): void {
    this.assertAllowed(this.manifest?.contributes, point.id)
    const all = this.contributions.get(point.id) ?? new Map<string, unknown>()
    if (all.has(id)) throw new Error(`"${id}" is contributed to ${point.id} twice`)
    this.contributions.set(point.id, all.set(id, contribution))
  }

  provide<T>(token: Token<T>, instance: T): void {
    this.assertAllowed(this.manifest?.provides, token.id)
    this.provided.set(token.id, instance)
  }

  onStop(stop: () => Promise<void> | void): void {
    if (this.sealed) throw new Error('onStop was called after the activation')
    this.stops.push(stop)
  }

  seal(): void {
    this.sealed = true
  }

  given<T>(point: Point<T>): ReadonlyMap<string, T> {
    const all = this.contributions.get(point.id) ?? new Map<string, unknown>()
    return new Map([...all].sort(([a], [b]) => (a < b ? -1 : 1))) as ReadonlyMap<string, T> // Contributed through the same typed point.
  }

  private assertAllowed(declared: readonly string[] | undefined, id: string): void {
    if (this.sealed) throw new Error(`${id} was given after the activation`)
    if (declared?.includes(id) === false) throw new Error(`${id} is not declared in plugin.json`)
  }
}
