/** What failover rules promise, judged by an account of its own: what was said, since when, and which orders may follow from it. */
import type { CheckerPhase, OperatorCommand, ResourceValue } from '@holdfast/sdk'
import { checkers, type KnownRule, rules } from './rules.js'

/** Shorter than that, nothing is believed. */
const quickMs = 500
/** The same order is not given more often. */
const againMs = 15_000

export interface Module {
  readonly role: string
  readonly isReady: boolean
}

export class Truth {
  violation: string | undefined
  readonly #said = new Map<string, ResourceValue>()
  #remote: ReadonlyMap<string, ResourceValue> | undefined
  #module: Module = { role: 'STOP', isReady: false }
  #enabled = true
  /** Said to a daemon before this one: it stands until this one has watched the same. */
  readonly #inherited = new Set<string>()
  /** Since when the condition of a rule has been true without a break. */
  readonly #since = new Map<string, number>()
  readonly #orderedAt = new Map<string, number>()
  #open: string | undefined

  constructor(readonly handleTimeMs: number | undefined) {}

  violated(what: string): void {
    this.violation ??= what
  }

  /** A new daemon: what was said is `kept`, and what was ordered is forgotten. */
  began(kept: ReadonlyMap<string, ResourceValue>): void {
    this.#said.clear()
    this.#inherited.clear()
    for (const [name, value] of kept) {
      this.#said.set(name, value)
      this.#inherited.add(name)
    }
    this.#remote = undefined
    this.#module = { role: 'STOP', isReady: false }
    this.#since.clear()
    this.#orderedAt.clear()
    this.#open = undefined
  }

  reported(name: string, value: ResourceValue, nowMs: number): void {
    if (this.watched().includes(name)) this.#said.set(name, value)
    this.#judge(nowMs)
  }

  told(remote: ReadonlyMap<string, ResourceValue> | undefined, nowMs: number): void {
    this.#remote = remote
    this.#judge(nowMs)
  }

  moduleIs(module: Module, nowMs: number): void {
    if (module.role === 'STOP' && this.#module.role !== 'STOP') this.#orderedAt.clear()
    this.#module = module
    // What a daemon before this one saw counts where it is watched, and on the way to there.
    const isServing = module.role === 'ALONE' || module.role === 'PRIM' || module.role === 'UP'
    if (isServing ? module.isReady : module.role !== 'STOP') this.#inherited.clear()
    this.#judge(nowMs)
  }

  switched(enabled: boolean, nowMs: number): void {
    this.#enabled = enabled
    this.#judge(nowMs)
  }

  watched(): readonly string[] {
    return [...checkers]
      .filter(([, when]) => this.#enabled && this.#isPhase(when))
      .map(([name]) => name)
      .sort()
  }

  value(name: string): ResourceValue {
    if (name.startsWith('remote.')) {
      if (this.#remote === undefined) return 'unknown'
      return this.#remote.get(name.slice('remote.'.length)) ?? 'init'
    }
    return this.#said.get(name) ?? 'init'
  }

  /** The machine gives an order. */
  ordered(label: string, command: OperatorCommand, nowMs: number): void {
    if (this.#open !== undefined) {
      this.violated(`${label} orders ${command} while ${this.#open} is not answered`)
    }
    this.#open = label
    if (this.#module.role === 'STOP') this.violated(`${label} orders ${command} in STOP`)
    if (command === 'wakeup') this.#wakesUp()
    else this.#orders(label, command, nowMs)
  }

  answered(label: string): void {
    if (this.#open === label) this.#open = undefined
  }

  #wakesUp(): void {
    const asking = waiting().find((rule) => rule.holds((name) => this.value(name)) === true)
    if (this.#enabled && asking !== undefined) {
      this.violated(`the module is woken up while ${asking.label} asks it to wait`)
    }
  }

  #orders(label: string, command: OperatorCommand, nowMs: number): void {
    const rule = rules.find((one) => one.label === label)
    if (rule?.action !== command) this.violated(`${label} orders ${command}`)
    if (!this.#enabled) this.violated(`${label} orders ${command}, and checkers are off`)
    const isFirstLook = command === 'wait' && rule?.holds((name) => this.value(name)) === undefined
    if (isFirstLook && this.#module.role === 'WAIT') return
    const sinceMs = this.#since.get(label)
    const stableMs = this.handleTimeMs ?? quickMs
    // In WAIT nothing runs: to go on waiting needs no long look.
    const neededMs = this.#module.role === 'WAIT' ? quickMs : stableMs
    if (sinceMs === undefined || nowMs - sinceMs < neededMs) {
      const forMs = sinceMs === undefined ? 'not' : `for ${nowMs - sinceMs} ms`
      this.violated(`${label} orders ${command}, and its condition is true ${forMs}`)
    }
    const isUp = this.#module.role === 'UP' && this.#module.isReady
    if ((command === 'restart' || command === 'stopstart') && !isUp) {
      this.violated(`${label} orders ${command} where nothing is up`)
    }
    const beforeMs = this.#orderedAt.get(label)
    if (command !== 'wait' && beforeMs !== undefined && nowMs - beforeMs < againMs) {
      this.violated(`${label} orders ${command} again after ${nowMs - beforeMs} ms`)
    }
    this.#orderedAt.set(label, nowMs)
  }

  #judge(nowMs: number): void {
    const watched = this.watched()
    for (const name of checkers.keys()) {
      if (watched.includes(name)) this.#inherited.delete(name)
      else if (!this.#inherited.has(name)) this.#said.set(name, 'init')
    }
    for (const { label, holds } of rules) {
      const isTrue = holds((name) => this.value(name)) === true
      if (!isTrue) {
        this.#since.delete(label)
        this.#orderedAt.delete(label)
      } else if (!this.#since.has(label)) this.#since.set(label, nowMs)
    }
  }

  #isPhase(when: CheckerPhase): boolean {
    const { role, isReady } = this.#module
    if (when === 'pre') return role !== 'STOP'
    return when !== 'second' && role === 'UP' && isReady
  }
}

function waiting(): readonly KnownRule[] {
  return rules.filter(({ action }) => action === 'wait')
}
