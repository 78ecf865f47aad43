/** For tests: a daemon with checkers in the test's hands, a module that notes its orders, and time that the test lets pass. */
import {
  type Checker,
  type Clock,
  type CommandOptions,
  done,
  type Log,
  type ModuleState,
  type Peers,
  refused,
  type Store,
  type Topology,
  type Verdict,
} from '@holdfast/sdk'
import { commandsOf } from '../commands.js'
import { parseRules } from '../language/parser.js'
import { FailoverDriver } from './driver.js'

/** Timers run when the test lets time pass, and promises in between. */
class Time implements Clock {
  private nowMs = 0
  private timers = new Set<{
    atMs: number
    readonly call: () => void
    readonly periodMs?: number
  }>()

  monotonicMs(): number {
    return this.nowMs
  }

  wallMs(): number {
    return 1_700_000_000_000 + this.nowMs
  }

  after(delayMs: number, call: () => void): () => void {
    const timer = { atMs: this.nowMs + delayMs, call }
    this.timers.add(timer)
    return () => void this.timers.delete(timer)
  }

  every(periodMs: number, call: () => void): () => void {
    const timer = { atMs: this.nowMs + periodMs, call, periodMs }
    this.timers.add(timer)
    return () => void this.timers.delete(timer)
  }

  cron(): () => void {
    return () => undefined
  }

  async pass(ms: number): Promise<void> {
    const endMs = this.nowMs + ms
    await settled()
    for (;;) {
      const next = [...this.timers].sort((a, b) => a.atMs - b.atMs)[0]
      if (next === undefined || next.atMs > endMs) break
      this.nowMs = next.atMs
      if (next.periodMs === undefined) this.timers.delete(next)
      else next.atMs += next.periodMs
      next.call()
      await settled()
    }
    this.nowMs = endMs
  }
}

async function settled(): Promise<void> {
  for (let n = 0; n < 30; n++) await Promise.resolve()
}

/** A checker in the test's hands. */
export class Hand implements Checker {
  when: Checker['when'] = 'prim'
  rule: Checker['rule']
  report: ((value: 'up' | 'down' | 'unknown', cause: string) => void) | undefined
  starts = 0
  stops = 0

  constructor(private readonly behaviour: 'good' | 'hangs' | 'throws' | 'refuses' = 'good') {}

  start(report: NonNullable<Hand['report']>): Promise<Verdict> {
    this.starts += 1
    this.report = report
    if (this.behaviour === 'throws') throw new Error('it broke')
    if (this.behaviour === 'hangs') return new Promise(() => undefined)
    if (this.behaviour === 'refuses') {
      return Promise.resolve(refused('E_TEST', 'no such target'))
    }
    return Promise.resolve(done)
  }

  stop(): Promise<void> {
    this.stops += 1
    if (this.behaviour === 'hangs') return new Promise(() => undefined)
    return Promise.resolve()
  }
}

class Module implements Topology {
  readonly orders: string[] = []
  private watchers = new Set<(state: ModuleState) => void>()
  private now: ModuleState = shownAs('STOP', 'NotReady')

  is(role: ModuleState['role'], sub: ModuleState['sub'] = 'Ready'): void {
    this.now = shownAs(role, sub)
    for (const on of this.watchers) on(this.now)
  }

  command(command: string, { identity, cause }: CommandOptions): Promise<typeof done> {
    this.orders.push(`${command} by ${identity ?? 'nobody'}: ${cause ?? ''}`)
    return Promise.resolve(done)
  }

  state(): ModuleState {
    return this.now
  }

  watch(on: (state: ModuleState) => void): () => void {
    this.watchers.add(on)
    return () => this.watchers.delete(on)
  }

  begin(): Promise<typeof done> {
    return Promise.resolve(done)
  }
}

function shownAs(role: ModuleState['role'], sub: ModuleState['sub']): ModuleState {
  return {
    role,
    sub,
    detail: 'uptodate',
    cause: 'test',
    hint: undefined,
    sinceMs: 0,
    generation: undefined,
    progress: undefined,
    remote: undefined,
  }
}

function memoryStore(): Store {
  const place = (): Omit<Store, 'volatile'> => {
    const kept = new Map<string, string>()
    return {
      read: async <T>(name: string) => {
        const text = await Promise.resolve(kept.get(name))
        return text === undefined ? undefined : (JSON.parse(text) as T) // Written by the same driver.
      },
      write: async (name, value) => {
        await Promise.resolve(kept.set(name, JSON.stringify(value)))
      },
      remove: async (name) => {
        await Promise.resolve(kept.delete(name))
      },
    }
  }
  return { ...place(), volatile: place() }
}

const nobody: Peers = {
  self: 'n1',
  others: [],
  state: (node) => ({ node, lans: [], connected: false, incarnation: undefined }),
  watch: () => () => undefined,
  send: () => false,
  onMessage: () => () => undefined,
  call: async () => await Promise.reject(new Error('not used')),
  onCall: () => () => undefined,
  address: () => undefined,
}

export interface World {
  readonly time: Time
  readonly module: Module
  readonly store: Store
  readonly logged: string[]
  readonly checkers: Map<string, Checker>
  driver: FailoverDriver
  changeCheckers(): Promise<void>
  restartDaemon(): Promise<void>
  value(name: string): string | undefined
  run(words: string, parameters?: Record<string, string>): Promise<readonly string[]>
}

export async function given(
  rules: string,
  checkers: Readonly<Record<string, Checker>>,
): Promise<World> {
  const time = new Time()
  const module = new Module()
  const store = memoryStore()
  const logged: string[] = []
  const log: Log = {
    write: (_, event, fields) => void logged.push(`${event} ${String(fields?.['text'])}`),
  }
  const all = new Map(Object.entries(checkers))
  let changed: () => Promise<void> | void = () => undefined
  const build = (): FailoverDriver =>
    new FailoverDriver({
      clock: time,
      log,
      peers: nobody,
      store,
      topology: module,
      checkers: {
        all: () => new Map(all),
        watch: (on) => {
          changed = on
          return () => undefined
        },
      },
      rules: {
        extends: true,
        operator: parseRules(rules).rules,
        periodMs: 5_000,
        handleTimeMs: undefined,
      },
    })
  const world: World = {
    time,
    module,
    store,
    logged,
    checkers: all,
    driver: build(),
    changeCheckers: async () => {
      await changed()
    },
    restartDaemon: async () => {
      await world.driver.stop()
      world.driver = build()
      await world.driver.begin()
      await settled()
    },
    value: (name) => world.driver.state().local.get(name)?.value,
    run: async (words, parameters = {}) => {
      const command = commandsOf(world.driver, time).get(words)
      if (command === undefined) throw new Error(`no command ${words}`)
      return (await command.run(parameters, new AbortController().signal)).lines
    },
  }
  await world.driver.begin()
  await settled()
  return world
}
