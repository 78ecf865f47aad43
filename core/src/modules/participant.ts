/**
 * One node's part in an order that happens on all nodes or on none. What is prepared is on disk before it is said;
 * after that the node waits for the decision, across restarts, and asks for it when nobody tells.
 */
import { rm } from 'node:fs/promises'
import { HoldfastError } from '@holdfast/sdk'
import { codeOf } from '../files/atomic.js'
import { Serial } from '../scheduling/serial.js'
import type { ModulePackage } from '../packages/package.js'
import {
  assertShape,
  type ModuleOrder,
  orderSchema,
  type Outcome,
  type Prepared,
} from './protocol.js'
import type { Records } from './records.js'

export const pendingFormat = { format: 'module-pending', version: 1 }

/** What an order does on this node. Every call is safe to repeat after a crash. */
export interface OrderExecutor {
  /** Why the order can't be carried out here; changes nothing. */
  verify(order: ModuleOrder, sources: ModulePackage | undefined): Promise<Prepared>
  /** Writes beside the present state what `apply` will put in its place. */
  stage(order: ModuleOrder, sources: ModulePackage | undefined): Promise<void>
  apply(order: ModuleOrder): Promise<void>
  /** Removes what `stage` wrote. */
  discard(order: ModuleOrder): Promise<void>
}

export interface Pending {
  readonly transaction: string
  readonly coordinator: string
  readonly order: ModuleOrder
}

export class Participant {
  private readonly pending = new Map<string, Pending>()
  /** Names whose prepare runs at this moment: a second one must not slip in between. */
  private readonly preparing = new Set<string>()
  private readonly decisions = new Serial('decisions about modules', 256)

  constructor(
    /** By the name of the module. */
    private readonly records: Records,
    private readonly executor: OrderExecutor,
  ) {}

  /** Reads what was prepared before the last end of the daemon. */
  async open(): Promise<void> {
    for (const name of await this.records.names()) {
      const body = await this.records.read(name)
      assertShape(pendingSchema, body, `what is prepared for module ${name}`)
      const pending = body as Pending // As checked.
      this.pending.set(pending.order.name, pending)
    }
  }

  list(): readonly Pending[] {
    return [...this.pending.values()]
  }

  /** Is an order for this module prepared and not decided yet? */
  isPending(name: string): boolean {
    return this.pending.has(name) || this.preparing.has(name)
  }

  async prepare(pending: Pending, sources: ModulePackage | undefined): Promise<Prepared> {
    const { order } = pending
    if (this.isPending(order.name)) throw busy(order.name)
    this.preparing.add(order.name)
    try {
      const prepared = await this.executor.verify(order, sources)
      if (prepared.findings.length > 0) {
        await this.executor.discard(order)
        return prepared
      }
      await this.executor.stage(order, sources)
      await this.records.write(order.name, pending)
      this.pending.set(order.name, pending)
      return prepared
    } finally {
      this.preparing.delete(order.name)
    }
  }

  /** Carries out the decision; unknown transactions were decided before, so there is nothing left to do. */
  async decide(transaction: string, outcome: Exclude<Outcome, 'pending'>): Promise<void> {
    // The decision may arrive twice, told and asked for: the second waits and finds nothing to do.
    await this.decisions.run(() => this.carryOut(transaction, outcome))
  }

  private async carryOut(transaction: string, outcome: Exclude<Outcome, 'pending'>): Promise<void> {
    const pending = this.list().find((one) => one.transaction === transaction)
    if (pending === undefined) return
    if (outcome === 'committed') await this.executor.apply(pending.order)
    else await this.executor.discard(pending.order)
    await this.records.remove(pending.order.name)
    this.pending.delete(pending.order.name)
  }
}

const pendingSchema = {
  type: 'object',
  required: ['transaction', 'coordinator', 'order'],
  properties: {
    transaction: { type: 'string' },
    coordinator: { type: 'string' },
    order: orderSchema,
  },
}

export function busy(name: string): HoldfastError {
  return new HoldfastError('E_MODULE_BUSY', `module ${name}: another order is being applied`, {
    hint: 'try again in a moment; if it lasts, the node that gave the order must come back first',
  })
}

/** Removes a directory tree that may not exist. */
export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true })
  } catch (thrown) {
    if (codeOf(thrown) !== 'ENOENT') throw thrown
  }
}
