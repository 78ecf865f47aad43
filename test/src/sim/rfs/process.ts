/** A simulated data plane process: what both roles have, and how it can die between any two of its steps. */
import { type Journal, StoredJournal } from '@holdfast/plugin-rfs/decisions'
import type { SimNode } from '../node.js'
import type { Rules } from './rules.js'
import type { SimStore } from './store.js'
import { type Change, type Tree, zoneBytes } from './tree.js'

export interface ProcessParts {
  readonly node: SimNode
  readonly tree: Tree
  readonly store: SimStore
  readonly rules: Rules
  readonly bootId: () => string
  /** It may die at this point: then false. */
  readonly step: () => boolean
  /** Which rule of the product was asked, with what outcome. */
  readonly reached: (transition: string) => void
  readonly note: (what: string) => void
}

const never: Journal['flush'] = () => undefined

export class Process {
  readonly #life: number
  #journal: Journal | undefined

  constructor(readonly parts: ProcessParts) {
    this.#life = parts.node.lives.plane
  }

  get isAlive(): boolean {
    return this.parts.node.lives.plane === this.#life && this.parts.node.powered
  }

  get journal(): Journal {
    if (this.#journal === undefined) throw new Error('the journal is open while there is a role')
    return this.#journal
  }

  /** False: it died of it. */
  openJournal(): boolean {
    const { store, rules, bootId } = this.parts
    const handle = store.opened(() => this.step())
    const journal = new StoredJournal(handle, { bootId: bootId(), zoneBytes })
    if (!rules.journalsFirst) journal.flush = never
    this.#journal = journal
    const { trusted, why } = journal.standing
    this.parts.reached(`journal opened: ${trusted ? 'trusted' : (why ?? '').replace(/:.*/, '')}`)
    return this.isAlive
  }

  /** The role ends in order. */
  closeClean(): void {
    const { tree, rules } = this.parts
    if (rules.syncsBeforeClean) tree.syncAll()
    if (this.isAlive) this.journal.closeClean()
  }

  step(): boolean {
    return this.isAlive && this.parts.step() && this.isAlive
  }

  later(delayMs: number, run: () => void): void {
    this.parts.node.later('plane', delayMs, () => {
      if (this.isAlive) run()
    })
  }

  between(fromMs: number, toMs: number): number {
    return this.parts.node.sim.random.integer(fromMs, toMs)
  }

  /** The keys of a change, before it is made. */
  touch(change: Change): void {
    if (change.kind === 'write') this.journal.touchZone(0, change.path, change.zone)
    else this.journal.touchEntry(0, change.path)
    if (change.kind === 'rename') this.journal.touchEntry(0, change.to)
    this.journal.flush()
  }

  /** What syncfs promises: what was changed before the call is on the disk when it is done. */
  readonly pool = {
    syncfs: (_root: number, done: (result: number) => void): void => {
      const { tree } = this.parts
      const dirty = [...tree.dirty]
      this.later(this.between(1, 90), () => {
        tree.sync(dirty)
        done(0)
      })
    },
  }
}
