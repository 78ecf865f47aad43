/** Looks at this node: one snapshot for all who ask at the same time. */
import process from 'node:process'
import { type Cancel, type Clock, type Control, HoldfastError, type LogLevel } from '@holdfast/sdk'
import type { CheckedModule, CheckedResource, ProcessFacts, Snapshot } from './snapshot.js'

/** The command by which the rules of a module tell what they look at. */
const resourceCommand = 'resource list'
/** A module that does not answer must not keep the others from being seen. */
const commandTimeoutMs = 2_000
const resourcesMax = 1_000

type Watched = Pick<Control, 'cluster' | 'modules' | 'moduleCommands' | 'moduleRun' | 'watch'>

export class Collector {
  readonly #logged = new Map<LogLevel, number>(
    (['critical', 'warning', 'event', 'info', 'debug'] as const).map((level) => [level, 0]),
  )
  readonly #startSeconds: number
  readonly #unwatch: Cancel
  #current: Promise<Snapshot> | undefined

  constructor(
    private readonly control: Watched,
    private readonly clock: Pick<Clock, 'after' | 'wallMs'>,
  ) {
    this.#startSeconds = Math.round(clock.wallMs() / 1_000 - process.uptime())
    this.#unwatch = control.watch((event) => {
      if (event.kind !== 'logged') return
      const { level } = event.entry
      this.#logged.set(level, (this.#logged.get(level) ?? 0) + 1)
    })
  }

  stop(): void {
    this.#unwatch()
  }

  snapshot(): Promise<Snapshot> {
    this.#current ??= this.#look().finally(() => {
      this.#current = undefined
    })
    return this.#current
  }

  async #look(): Promise<Snapshot> {
    const modules = this.control.modules()
    const looks = modules.map(async ({ name }) => [name, await this.#checkedOf(name)] as const)
    const checked = new Map<string, CheckedModule>()
    for (const [name, found] of await Promise.all(looks)) {
      if (found !== undefined) checked.set(name, found)
    }
    const cluster = this.control.cluster()
    return { cluster, modules, checked, logged: this.#logged, process: this.#process() }
  }

  async #checkedOf(name: string): Promise<CheckedModule | undefined> {
    const over = new AbortController()
    let cancel: Cancel = () => undefined
    const late = new Promise<undefined>((resolve) => {
      cancel = this.clock.after(commandTimeoutMs, () => {
        resolve(undefined)
      })
    })
    try {
      return await Promise.race([late, this.#ask(name, over.signal)])
    } finally {
      cancel()
      over.abort()
    }
  }

  /** Undefined: the module has no rules, or changes at this moment. */
  async #ask(name: string, signal: AbortSignal): Promise<CheckedModule | undefined> {
    try {
      const offered = this.control.moduleCommands(name)
      if (!offered.some(({ words }) => words === resourceCommand)) return undefined
      const request = { name, command: resourceCommand, parameters: {} }
      return checkedIn((await this.control.moduleRun(request, signal)).data)
    } catch (thrown) {
      if (thrown instanceof HoldfastError) return undefined
      throw thrown
    }
  }

  #process(): ProcessFacts {
    const { user, system } = process.cpuUsage()
    const { rss, heapUsed } = process.memoryUsage()
    return {
      ...{ cpuSeconds: (user + system) / 1_000_000, startSeconds: this.#startSeconds },
      ...{ residentBytes: rss, heapBytes: heapUsed },
    }
  }
}

/** Of the command of another plugin only what has the right form is believed. */
export function checkedIn(data: unknown): CheckedModule | undefined {
  if (typeof data !== 'object' || data === null) return undefined
  if (!('checkers' in data) || !('resources' in data)) return undefined
  const all: unknown = data.resources
  if (!Array.isArray(all)) return undefined
  return {
    enabled: data.checkers === 'on',
    resources: all.slice(0, resourcesMax).filter(isResource),
  }
}

function isResource(value: unknown): value is CheckedResource {
  if (typeof value !== 'object' || value === null) return false
  if (!('name' in value) || !('value' in value) || !('sinceMs' in value)) return false
  const { name, value: seen, sinceMs } = value
  return typeof name === 'string' && typeof seen === 'string' && Number.isFinite(sinceMs)
}
