/** One journal on a simulated disk, and the process that keeps it: it may die between any two writes. */
import { type JournalStore, StoredJournal } from '@holdfast/plugin-rfs/decisions'
import { HoldfastError } from '@holdfast/sdk'
import { Random } from '../random.js'
import type { Coverage } from '../reached.js'
import { SimStore } from '../rfs/store.js'
import { Trace } from '../simulation.js'
import { Account, type Key } from './account.js'
import type { Changes } from './mutants.js'

export interface WorldOptions {
  readonly seed: number
  readonly changes: Changes
  readonly coverage?: Coverage | undefined
  readonly traced?: boolean
}

const copying = 'a copy was not finished'

export class World {
  readonly random: Random
  readonly trace: Trace | undefined
  readonly account = new Account()
  readonly store = new SimStore()
  zoneBytes = 64 * 1024
  /** Lines so far: there is no other time here. */
  done = 0
  doom: { writes: number; readonly how: 'process' | 'power' } | undefined
  #journal: StoredJournal | undefined
  #isAlive = false
  #boots = 1
  /** The state that it is the difference to: two, when it died as it became another. */
  #bases: readonly string[] = []
  /** The last process ended in order, and nothing was lost or said against it since. */
  #isClean = false
  #isTrusted = false
  #doing = ''
  #lengthAtStart = 0

  constructor(readonly options: WorldOptions) {
    this.random = new Random(options.seed)
    this.trace = options.traced === true ? new Trace() : undefined
  }

  note(what: string): void {
    this.trace?.note(this.done, '', what)
  }

  get isRunning(): boolean {
    return this.#journal !== undefined
  }

  /** A process opens the journal, if none does. */
  open(): void {
    if (this.#journal !== undefined) return
    this.#isAlive = true
    const wasClean = this.#isClean
    this.#isClean = false
    const { changes, coverage } = this.options
    const bootId = changes.knowsBoot ? `boot ${this.#boots}` : 'boot'
    const journal = this.#guarded(
      () =>
        new StoredJournal(changes.store(this.#observed()), {
          ...{ bootId, zoneBytes: this.zoneBytes, isCovered: false },
          clock: () => ({ atMs: this.done, bootedMs: 0 }),
        }),
    )
    if (journal === undefined) coverage?.reached('found: no room for a new one')
    if (journal === undefined || !this.#lives()) return
    const opened = changes.journal(journal)
    const { trusted, why, base } = opened.standing
    this.note(`opened: ${trusted ? 'trusted' : (why ?? '')}`)
    coverage?.reached(`found: ${trusted ? 'trusted' : (why ?? '').replace(/:.*/, '')}`)
    if (wasClean && this.#boots > this.#bootsAtClean && trusted) {
      coverage?.reached('found: trusted after a clean end and a power cut')
    }
    const isSame = this.zoneBytes === this.#zoneBytesAtClean
    if (wasClean && this.#isTrusted && isSame && !trusted && !this.store.isFull) {
      this.account.violated(`a journal that was ended in order is not trusted: ${why ?? ''}`)
    }
    if (trusted && !this.#bases.includes(base ?? '')) {
      this.account.violated(
        `it is trusted for ${base ?? 'nothing'}, not ${this.#bases.join(' or ')}`,
      )
    }
    this.#bases = [base ?? '']
    this.account.found(trusted, opened.snapshot())
    this.#journal = opened
    this.openWindow()
    this.#isTrusted = trusted
    // What it grows from, to see that it is written anew.
    this.#lengthAtStart = this.#grown
  }

  touch(key: Key): void {
    this.#with((journal) => {
      if (key.kind === 'zone') journal.touchZone(0, key.path, key.zone)
      else if (key.kind === 'entry') journal.touchEntry(0, key.path)
      else journal.touchMeta(0, key.path)
      this.account.touched(key)
    })
  }

  /** From here on the change may be made. */
  flush(): void {
    this.#with((journal) => {
      journal.flush()
      if (this.#isAlive) this.account.flushed()
    })
  }

  openWindow(): void {
    this.#with((journal) => this.account.windowOpened(journal.openWindow()))
  }

  /** Both disks have what was changed before the window that is open. */
  drop(): void {
    this.#with((journal) => {
      const number = journal.openWindow()
      this.account.windowOpened(number)
      journal.dropBefore(number)
      // A process that dies in it may have written that down, or not.
      this.account.dropped(number)
    })
  }

  copyBegins(): void {
    this.#with((journal) => {
      this.#isTrusted = false
      journal.distrust(copying)
    })
  }

  /** Both trees are equal. */
  trust(base: string): void {
    this.#with((journal) => {
      const before = this.#bases
      this.#bases = [...before, base]
      this.#isTrusted = true
      journal.trust(base)
      if (!this.#isAlive) return
      this.#bases = [base]
      this.account.flushed()
    })
  }

  round(): void {
    this.#with((journal) => {
      this.account.setTaken(journal.takeSet())
      this.account.setBegun()
    })
  }

  end(): void {
    this.#with((journal) => {
      journal.closeClean()
      if (!this.#isAlive) return
      this.account.flushed()
      this.#isTrusted &&= journal.standing.trusted
      this.#ends()
      this.#isClean = true
      this.#bootsAtClean = this.#boots
      this.#zoneBytesAtClean = this.zoneBytes
    })
  }

  kill(): void {
    this.note('the process dies')
    this.#ends()
  }

  cutPower(): void {
    this.note('power off')
    this.#ends()
    this.#boots += 1
    this.store.losePower(this.random)
  }

  replaceDisk(): void {
    if (this.isRunning) return
    this.#isClean = false
    this.store.restore(undefined)
  }

  /** The first sector can't be read any more. */
  garble(): void {
    const bytes = this.store.image()
    if (this.isRunning || bytes === undefined) return
    const garbled = Buffer.from(bytes)
    garbled.fill(0, 0, Math.min(16, garbled.length))
    this.#isClean = false
    this.store.restore(garbled)
  }

  /** Everything that it holds covers what was told. */
  check(): void {
    const journal = this.#journal
    if (journal !== undefined && this.#isAlive) this.account.seen(journal.snapshot())
  }

  #bootsAtClean = 0
  #zoneBytesAtClean = 0
  #grown = 0

  #with(run: (journal: StoredJournal) => void): void {
    const journal = this.#journal
    if (journal === undefined) return
    this.#guarded(() => run(journal))
  }

  /** Undefined: the journal can't say any more that it is not to be trusted, and the process ends itself. */
  #guarded<T>(run: () => T): T | undefined {
    try {
      return run()
    } catch (thrown) {
      if (!(thrown instanceof HoldfastError) || thrown.code !== 'E_RFS_JOURNAL') throw thrown
      this.note(thrown.message)
      this.#ends()
      return undefined
    }
  }

  #ends(): void {
    this.#journal = undefined
    this.#isAlive = false
    this.doom = undefined
  }

  /** It may have died in what was just called. */
  #lives(): boolean {
    return this.#isAlive
  }

  #step(): boolean {
    if (!this.#isAlive) return false
    if (this.doom === undefined) return true
    this.doom.writes -= 1
    if (this.doom.writes > 0) return true
    const { how } = this.doom
    this.options.coverage?.reached(`dies in ${this.#doing}: ${how}`)
    if (how === 'power') this.cutPower()
    else this.kill()
    return false
  }

  /** The store, with a name for what it is doing. */
  #observed(): JournalStore {
    const store = this.store.opened(() => this.#step())
    const named =
      <A extends unknown[]>(name: string, call: (...args: A) => void) =>
      (...args: A): void => {
        this.#doing = name
        call(...args)
      }
    return {
      ...store,
      replace: named('replace', (write) => {
        if (this.#grown > this.#lengthAtStart + growthMin) {
          this.options.coverage?.reached('written anew because it grew')
        }
        this.#grown = 0
        store.replace(write)
      }),
      append: named('append', (bytes) => {
        this.#grown += bytes.length
        store.append(bytes)
      }),
      empty: named('empty', store.empty),
      writeHeader: named('writeHeader', store.writeHeader),
      sync: named('sync', store.sync),
    }
  }
}

const growthMin = 4 * 1024 * 1024
