/**
 * The one door to tsyringe. It holds ready instances under token ids and nothing else: order, contributions,
 * duplicates and disposal are the kernel's, because the library is silent or unordered about them.
 */
import 'reflect-metadata'
import { assert } from '@holdfast/sdk'
import { type DependencyContainer, container as root } from 'tsyringe'

export class InstanceContainer {
  private readonly own: DependencyContainer

  constructor(parent?: InstanceContainer) {
    this.own = (parent?.own ?? root).createChildContainer()
  }

  /** A second registration of the same id would win silently in the library: here it is a bug. */
  hold(id: string, instance: unknown): void {
    assert(instance !== undefined && instance !== null, `the instance of ${id} exists`)
    assert(!this.own.isRegistered(id, false), `${id} is held only once`)
    this.own.register(id, { useValue: instance })
  }

  has(id: string): boolean {
    return this.own.isRegistered(id, true)
  }

  get(id: string): unknown {
    assert(this.has(id), `${id} is held`)
    return this.own.resolve<unknown>(id)
  }

  /** Forgets the instances; stopping them is the lifecycle's. */
  release(): void {
    this.own.reset()
  }
}
