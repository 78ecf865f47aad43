/** A simulated data plane process: what both roles have, and how it can die between any two of its steps. */
import {
  foreignKey,
  type Journal,
  Keys,
  type KeySet,
  decodeInto,
  lookAt,
  type Moment,
  StoredJournal,
} from '@holdfast/plugin-rfs/decisions'
import type { SimNode } from '../node.js'
import type { Rules } from './rules.js'
import type { SimStore } from './store.js'
import { type Change, directories, directoryOf, paths, type Tree, zoneBytes } from './tree.js'

export interface ProcessParts {
  readonly node: SimNode
  readonly tree: Tree
  readonly store: SimStore
  readonly rules: Rules
  readonly bootId: () => string
  readonly clock: () => Moment
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
  /** Inodes that were asked for changes of others before their first own one. */
  readonly #searched = new Set<string>()

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
    const { store, rules, bootId, clock } = this.parts
    const handle = store.opened(() => this.step())
    const opening = { bootId: bootId(), zoneBytes, isCovered: false, clock }
    const journal = new StoredJournal(handle, opening)
    if (!rules.journalsFirst) journal.flush = never
    this.#journal = journal
    const { trusted, why } = journal.standing
    this.parts.reached(`journal opened: ${trusted ? 'trusted' : (why ?? '').replace(/:.*/, '')}`)
    if (journal.gaps.some(({ toMs }) => toMs === 'endless'))
      this.parts.reached('the clock went back')
    if (this.isAlive) journal.takeCharge()
    return this.isAlive
  }

  /** The role ends in order. */
  closeClean(): void {
    const { tree, rules } = this.parts
    if (this.isAlive) this.journal.endCharge()
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
    this.#searchFirst(change)
    if (change.kind === 'write') this.journal.touchZone(0, change.path, change.zone)
    else this.journal.touchEntry(0, change.path)
    if (change.kind === 'rename') this.journal.touchEntry(0, change.to)
    this.journal.flush()
  }

  /** What was changed while nobody was in charge of this tree. */
  search(snapshot: KeySet): Keys {
    const [found, told] = [new Keys(), new Keys()]
    const { gaps } = this.journal
    if (gaps.length === 0 || !this.parts.rules.searches) return found
    decodeInto(snapshot, told)
    const foreign = new Set<string>()
    const look = (path: string, isDirectory: boolean): void => {
      if (found.covers(0, path)) return
      const changed = this.parts.tree.changedAt(path)
      const isParentForeign = path !== '' && foreign.has(directoryOf(path))
      const seen = { volume: 0, path, isDirectory, isParentForeign, changed }
      if (lookAt(seen, { gaps, told, found }) === 'beneathForeign') foreign.add(path)
    }
    for (const path of directories) look(path, true)
    for (const path of paths) if (this.parts.tree.file(path) !== undefined) look(path, false)
    if (found.size > 0) this.parts.reached('changes of others are found')
    return found
  }

  #searchFirst(change: Change): void {
    if (!this.parts.rules.searchesFirst) return
    if (change.kind === 'write') {
      this.#searchOne(change.path, false)
      return
    }
    this.#searchOne(directoryOf(change.path), true)
    if (change.kind === 'rename') this.#searchOne(directoryOf(change.to), true)
  }

  #searchOne(path: string, isDirectory: boolean): void {
    const { journal } = this
    if (this.#searched.has(path) || journal.gaps.length === 0) return
    this.#searched.add(path)
    const isForeign = (one: string): boolean =>
      journal.isForeign(0, one, this.parts.tree.changedAt(one))
    if (!isForeign(path)) return
    this.parts.reached('changes of others are found before the first own one')
    const isParentForeign = path !== '' && isForeign(directoryOf(path))
    if (foreignKey({ isDirectory, isParentForeign }) === 'entry') journal.touchEntry(0, path)
    else journal.touchNames(0, path)
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
