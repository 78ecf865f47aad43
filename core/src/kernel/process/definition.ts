/**
 * Makes a child process look like any other plugin: what it offers becomes contributions. A child that ends is started
 * again, a few times; meanwhile its checkers are `unknown`, and its resources refuse.
 */
import {
  assertNever,
  type Cancel,
  type Checker,
  checker,
  type Clock,
  clock,
  definePlugin,
  done,
  HoldfastError,
  type Log,
  log,
  type ModuleContext,
  moduleContext,
  refused,
  type Resource,
  resource,
  type Verdict,
} from '@holdfast/sdk'
import type { PluginSource } from '../discover.js'
import type { LoadedPlugin } from '../loader.js'
import { PluginChild } from './child.js'
import { type FromChild, protocolVersion, type ToChild } from './messages.js'

const callsMax = 32
const restartsMax = 5
const restartsPerMs = 600_000
const restartDelayMs = 1_000
/** Longer than any transition may take; whoever asked has given up before. */
const callTimeoutMs = 3_600_000

type Report = Parameters<Checker['start']>[0]
type Ready = Extract<FromChild, { readonly kind: 'ready' }>
type CallBody =
  | Omit<Extract<ToChild, { readonly kind: 'enter' | 'leave' }>, 'call'>
  | Omit<Extract<ToChild, { readonly kind: 'adopt' }>, 'call'>

const needs = { clock, log, module: moduleContext }

export function processPlugin(source: PluginSource): LoadedPlugin {
  let tellLost: (cause: string) => void = () => undefined
  const definition = definePlugin<typeof needs, unknown>({
    needs,
    async activate(deps, config, scope) {
      const plugin = new ProcessPlugin(source, deps, config, (cause) => {
        tellLost(cause)
      })
      scope.onStop(() => plugin.stop())
      const ready = await plugin.begin()
      for (const { name, when, rule } of ready.checkers) {
        scope.contribute(checker, name, plugin.checker(name, when, rule))
      }
      for (const { id, order } of ready.resources) {
        scope.contribute(resource, id, plugin.resource(id, order))
      }
    },
  })
  return {
    definition,
    check: undefined,
    onLost: (tell) => {
      tellLost = tell
    },
  }
}

class ProcessPlugin {
  private child: PluginChild | undefined
  private offer: string | undefined
  private readonly reports = new Map<string, Report>()
  private readonly calls = new Map<number, (verdict: Verdict) => void>()
  private callsMade = 0
  private restarts: number[] = []
  private cancelRestart: Cancel = () => undefined
  private isStopped = false
  private whenReady: { resolve(ready: Ready): void; reject(cause: Error): void } | undefined

  private readonly clock: Clock
  private readonly log: Log
  private readonly module: ModuleContext

  constructor(
    private readonly source: PluginSource,
    services: { readonly clock: Clock; readonly log: Log; readonly module: ModuleContext },
    private readonly config: unknown,
    /** It is not started again. */
    private readonly onLost: (cause: string) => void,
  ) {
    const { clock, log, module } = services
    this.clock = clock
    this.log = log
    this.module = module
  }

  /** Returns what it offers; its start time-out is the kernel's. */
  async begin(): Promise<Ready> {
    return await new Promise<Ready>((resolve, reject) => {
      this.whenReady = { resolve, reject }
      this.spawn()
    })
  }

  async stop(): Promise<void> {
    this.isStopped = true
    this.cancelRestart()
    // Shorter than the kernel's own patience, so that the child is surely gone when that ends.
    await this.child?.stop(this.source.manifest.stopTimeoutMs * 0.8)
  }

  checker(name: string, when: Checker['when'], rule: Checker['rule']): Checker {
    return {
      when,
      rule,
      start: (report) => {
        this.reports.set(name, report)
        this.tell({ kind: 'watch', checker: name })
        return Promise.resolve(done)
      },
      stop: () => {
        if (this.reports.delete(name)) this.tell({ kind: 'unwatch', checker: name })
        return Promise.resolve()
      },
    }
  }

  resource(id: string, order: number): Resource {
    return {
      id,
      order,
      enter: (transition, signal) => this.call({ kind: 'enter', resource: id, transition }, signal),
      leave: (transition, signal) => this.call({ kind: 'leave', resource: id, transition }, signal),
      adopt: (role, generation) => this.call({ kind: 'adopt', resource: id, role, generation }),
    }
  }

  private spawn(): void {
    const child = new PluginChild(this.source, this.clock, this.log, {
      onMessage: (message) => {
        this.onMessage(message, child)
      },
      onEnd: (cause) => {
        this.onEnd(cause)
      },
    })
    this.child = child
    const { manifest } = this.source
    const { name, id, node, nodes } = this.module
    child.send({
      ...{ kind: 'start', protocol: protocolVersion, plugin: manifest.id },
      ...{ version: manifest.version, module: { name, id, node, nodes }, config: this.config },
    })
  }

  private onMessage(message: FromChild, child: PluginChild): void {
    switch (message.kind) {
      case 'ready':
        this.onReady(message, child)
        return
      case 'value':
        this.reports.get(message.checker)?.(message.value, message.cause)
        return
      case 'done':
        this.answer(message.call, done)
        return
      case 'failed':
        this.answer(message.call, refused('E_PLUGIN_PROCESS', message.reason))
        return
      case 'log':
        this.log.write(message.level, message.event, message.fields)
        return
      default:
        assertNever(message)
    }
  }

  /** What it offered first is what the module was built with: another offer after a restart makes no sense. */
  private onReady(ready: Ready, child: PluginChild): void {
    const offer = JSON.stringify([ready.checkers, ready.resources])
    if (this.offer === undefined) {
      this.offer = offer
      this.whenReady?.resolve(ready)
      this.whenReady = undefined
    } else if (this.offer !== offer) child.kill('it offers something else than before')
    else for (const name of this.reports.keys()) this.tell({ kind: 'watch', checker: name })
  }

  private onEnd(cause: string): void {
    this.child = undefined
    const { id } = this.source.manifest
    for (const call of [...this.calls.keys()]) {
      this.answer(
        call,
        refused('E_PLUGIN_PROCESS', `the process of plugin ${id} is gone: ${cause}`),
      )
    }
    if (this.isStopped) return
    const begun = this.whenReady
    if (begun !== undefined) {
      this.whenReady = undefined
      begun.reject(new HoldfastError('E_PLUGIN_PROCESS', `plugin ${id}: ${cause}`))
      return
    }
    for (const report of this.reports.values()) report('unknown', `plugin ${id}: ${cause}`)
    this.restartLater(cause)
  }

  private restartLater(cause: string): void {
    const now = this.clock.monotonicMs()
    this.restarts = this.restarts.filter((at) => now - at < restartsPerMs)
    if (this.restarts.length >= restartsMax) {
      const times = `${String(restartsMax + 1)} times within 10 minutes`
      this.onLost(
        `its process ended ${times}, it is started again by the next "holdfast module config": ${cause}`,
      )
      return
    }
    this.log.write('warning', 'pluginProcessEnded', {
      text: `its process is started again: ${cause}`,
    })
    const delayMs = restartDelayMs * 2 ** this.restarts.length
    this.restarts.push(now)
    this.cancelRestart = this.clock.after(delayMs, () => {
      this.spawn()
    })
  }

  private tell(message: ToChild): void {
    this.child?.send(message) // A child that is gone learns what to watch when it is back.
  }

  private async call(body: CallBody, signal?: AbortSignal): Promise<Verdict> {
    if (this.calls.size >= callsMax) return refused('E_PLUGIN_PROCESS', 'too many calls wait')
    this.callsMade += 1
    const call = this.callsMade
    return await new Promise<Verdict>((resolve) => {
      const cancelTimer = this.clock.after(callTimeoutMs, () => {
        this.answer(call, refused('E_PLUGIN_PROCESS', 'it did not answer'))
      })
      const onAbort = (): void => {
        this.tell({ kind: 'cancel', call })
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.calls.set(call, (verdict) => {
        cancelTimer()
        signal?.removeEventListener('abort', onAbort)
        resolve(verdict)
      })
      const { id } = this.source.manifest
      if (this.child?.send({ ...body, call }) !== true) {
        this.answer(call, refused('E_PLUGIN_PROCESS', `the process of plugin ${id} does not run`))
      }
    })
  }

  private answer(call: number, verdict: Verdict): void {
    const waiting = this.calls.get(call)
    this.calls.delete(call)
    waiting?.(verdict)
  }
}
