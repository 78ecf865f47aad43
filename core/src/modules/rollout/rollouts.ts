/**
 * Leads rollouts from this node: looks at the nodes, takes the step that `decide` names, and has it on disk first. A
 * daemon that is restarted goes on with what it led.
 */
import { join } from 'node:path'
import type { Clock, HoldfastError, Log, RolloutView } from '@holdfast/sdk'
import { expectedFailure } from '../../files/failure.js'
import { type ModulePackage, readPackage, writePackage } from '../../packages/package.js'
import type { ModuleLayout } from '../layout.js'
import { removeTree } from '../participant.js'
import { assertShape, type ModuleOrder } from '../protocol.js'
import type { Records } from '../records.js'
import { decide, isOrphaned, isReached, lostBy, said, turnedBack } from './decide.js'
import { Patience } from './patience.js'
import { rolloutSchema } from './record.js'
import type { RolloutNodes } from './standing.js'
import type { End, Rollout, Standing, Step } from './types.js'
import { viewOf } from './view.js'

export const rolloutFormat = { format: 'module-rollout', version: 1 }
const lookEveryMs = 250

export interface RolloutsOptions {
  /** By the name of the module: the last rollout that this node led. */
  readonly records: Records
  readonly clock: Pick<Clock, 'after' | 'monotonicMs'>
  readonly nodes: RolloutNodes
  readonly layout: (name: string) => ModuleLayout
  readonly log: (name: string) => Log
  /** Applies on these nodes, or on none of them. */
  readonly apply: (
    order: ModuleOrder,
    sources: ModulePackage,
    nodes: readonly string[],
  ) => Promise<void>
}

interface Led {
  rollout: Rollout
  standings: readonly Standing[]
  waitsFor: string | undefined
}

export class Rollouts {
  private readonly led = new Map<string, Led>()
  /** Given by this daemon, the one before may have died in between. */
  private readonly ordered = new WeakSet<Step>()
  private isClosed = false

  constructor(private readonly options: RolloutsOptions) {}

  /** Goes on with what the last daemon began. */
  async open(): Promise<void> {
    const { records } = this.options
    for (const name of await records.names()) {
      const body = await records.read(name)
      assertShape(rolloutSchema, body, `the rollout of module ${name}`)
      const led: Led = { rollout: body as Rollout, standings: [], waitsFor: undefined } // As checked.
      this.led.set(name, led)
      if (led.rollout.end === undefined) void this.lead(led)
    }
  }

  /** What is under way is left as a crash would leave it. */
  close(): void {
    this.isClosed = true
  }

  /** The rollout of this module that is under way and led from here. */
  active(name: string): Rollout | undefined {
    const rollout = this.led.get(name)?.rollout
    return rollout?.end === undefined ? rollout : undefined
  }

  last(name: string): Rollout | undefined {
    return this.led.get(name)?.rollout
  }

  async view(name: string): Promise<RolloutView | undefined> {
    const led = this.led.get(name)
    if (led === undefined) return undefined
    if (led.rollout.end !== undefined) {
      led.standings = await this.options.nodes.look(led.rollout.order)
    }
    return viewOf(led.rollout, led.standings, led.waitsFor)
  }

  /** Verified before: from here on it goes by itself. */
  async begin(rollout: Rollout, sources: ModulePackage): Promise<void> {
    const { name, digest } = rollout.order
    const layout = this.options.layout(name)
    await this.forgetSources(name)
    await writePackage(sources, this.keptSources(name, digest))
    const { previous } = rollout
    if (previous !== undefined && previous.digest !== digest) {
      const applied = await readPackage(join(layout.applied, 'package'))
      await writePackage(applied, this.keptSources(name, previous.digest))
    }
    const standings = await this.options.nodes.look(rollout.order)
    const led: Led = { rollout, standings, waitsFor: undefined }
    this.led.set(name, led)
    await this.remember(led, {})
    const { way, started, from } = rollout
    this.options.log(name).write('event', 'rolloutBegan', { way, nodes: started, from })
    void this.lead(led)
  }

  /** Forgets a rollout whose module is gone. */
  async forget(name: string): Promise<void> {
    this.led.delete(name)
    await this.options.records.remove(name)
  }

  /** A rejection is a bug, and ends the daemon. */
  private async lead(led: Led): Promise<void> {
    const { clock, nodes } = this.options
    const patience = new Patience(clock)
    while (led.rollout.end === undefined && !this.isClosed) {
      led.standings = await nodes.look(led.rollout.order)
      const waitsFor = await this.advance(led)
      led.waitsFor = waitsFor
      if (waitsFor === undefined) continue
      const tooLong = patience.endsAt(led.standings, waitsFor)
      if (tooLong === undefined) await this.pause()
      else await this.end(led, { kind: 'halted', reason: tooLong })
    }
  }

  /** Undefined: something was done, look again. Otherwise: what it waits for. */
  private async advance(led: Led): Promise<string | undefined> {
    const { rollout, standings } = led
    const { doing } = rollout
    if (doing !== undefined) {
      if (!isReached(doing, standings)) return await this.again(led, doing)
      await this.remember(led, { doing: undefined, taken: [...rollout.taken, doing] })
      return undefined
    }
    const decision = decide(rollout, standings)
    switch (decision.kind) {
      case 'wait':
        return decision.reason
      case 'step':
        await this.take(led, decision.step)
        return undefined
      case 'halt':
        await this.end(led, { kind: 'halted', reason: decision.reason })
        return undefined
      case 'done':
        await this.end(led, { kind: 'done' })
        return undefined
    }
  }

  /** A daemon that comes back does not know whether it gave the order: all of them may be given twice. */
  private async again(led: Led, step: Step): Promise<string | undefined> {
    const waitsFor = led.standings.filter(({ node }) => step.nodes.includes(node)).map(said)
    const lost = this.ordered.has(step) ? lostBy(led.rollout, step, led.standings) : undefined
    if (lost !== undefined) {
      await this.end(led, { kind: 'halted', reason: lost })
      return undefined
    }
    if (this.ordered.has(step) || led.standings.some((one) => !one.isReached)) {
      return `${step.what}: ${waitsFor.join('; ')}`
    }
    const isSwapped =
      step.what === 'swap' &&
      led.standings.every(({ node, role }) => !step.nodes.includes(node) || role !== 'PRIM')
    this.ordered.add(step)
    if (!isSwapped) await this.give(led, step)
    return undefined
  }

  private async take(led: Led, step: Step): Promise<void> {
    const { name } = led.rollout.order
    this.options.log(name).write('event', 'rolloutStep', { ...step })
    await this.remember(led, { doing: step })
    this.ordered.add(step)
    await this.give(led, step)
  }

  private async give(led: Led, step: Step): Promise<void> {
    const { order } = led.rollout
    try {
      if (step.what === 'apply') {
        await this.options.apply(
          order,
          await readPackage(this.keptSources(order.name, order.digest)),
          step.nodes,
        )
        return
      }
      const command = step.what === 'stop' && this.isIdle(led, step) ? 'stopIdle' : step.what
      for (const node of step.nodes) await this.options.nodes.command(node, order.name, command)
    } catch (thrown) {
      await this.refused(led, step, expectedFailure(thrown))
    }
  }

  /** Was it seen idle? Then it must still be when it is stopped: it may have taken over since. */
  private isIdle({ standings, rollout }: Led, { nodes }: Step): boolean {
    const isServing = standings.some(
      ({ node, role }) => nodes.includes(node) && role !== 'SECOND' && role !== 'WAIT',
    )
    return rollout.way === 'rolling' && !isServing
  }

  private async refused(led: Led, step: Step, { message }: HoldfastError): Promise<void> {
    const reason = `${step.what} on ${step.nodes.join(', ')}: ${message}`
    if (step.what !== 'apply') await this.end(led, { kind: 'halted', reason })
    else await this.remember(led, { doing: undefined, abandoned: reason })
  }

  private async end(led: Led, end: End): Promise<void> {
    const { order, returning, from } = led.rollout
    led.standings = await this.options.nodes.look(order)
    const log = this.options.log(order.name)
    const isOver = end.kind === 'done' || !isOrphaned(led.rollout, led.standings)
    const back = isOver ? undefined : turnedBack(led.rollout, end.reason)
    if (back !== undefined) {
      log.write('critical', 'rolloutTurnsBack', { text: back.returning ?? '' })
      await this.remember(led, back)
      return
    }
    const isBack = end.kind === 'done' && returning !== undefined
    const last: End = isBack
      ? { kind: 'halted', reason: `${returning}; all nodes have version ${from} again` }
      : end
    await this.remember(led, { end: last, doing: undefined })
    await this.forgetSources(order.name)
    if (last.kind === 'done') log.write('event', 'rolloutDone', {})
    else log.write('critical', 'rolloutHalted', { text: last.reason })
  }

  private async remember(led: Led, change: Partial<Rollout>): Promise<void> {
    led.rollout = { ...led.rollout, ...change }
    await this.options.records.write(led.rollout.order.name, led.rollout)
  }

  private keptSources(name: string, digest: string): string {
    return join(this.options.layout(name).home, 'rollout', digest)
  }

  private async forgetSources(name: string): Promise<void> {
    await removeTree(join(this.options.layout(name).home, 'rollout'))
  }

  private async pause(): Promise<void> {
    await new Promise<void>((resolve) => this.options.clock.after(lookEveryMs, resolve))
  }
}
