/**
 * Looks for what was changed while nobody was in charge: the times of all inodes are compared with the gaps of the journal, no content
 * is read. What is found becomes keys.
 */
import { exclusionsIn, isLeftOut } from '../exclusions.js'
import { decodeInto } from '../journal/codec.js'
import { lookAt } from '../journal/foreign.js'
import type { Gap } from '../journal/gaps.js'
import { Keys } from '../journal/keys.js'
import { join } from '../journal/path.js'
import { E, MODE, close } from '../libc.js'
import { nameAddress } from '../nodes.js'
import type { BytePath, KeySet, ResyncVolume } from '../resync-port.js'
import { StatBuffer, changedOf } from '../stat.js'
import type { Task } from './files.js'
import { inDiskOrder, isAbsent, listingsOf, must, openDirectory } from './tree.js'

export interface SearchOptions {
  readonly volumes: readonly ResyncVolume[]
  readonly gaps: readonly Gap[]
  /** What the journal of this side tells of already. */
  readonly journal: KeySet
  /** Of this side, and by now perhaps of the other one as well: what is found is added. */
  readonly keys: Keys
  readonly told: (found: Keys) => void
}

interface Place {
  readonly volume: ResyncVolume
  readonly path: BytePath
  readonly isForeign: boolean
}

/** Names that are looked at in one step. */
const STEP_NAMES = 4
const stat = new StatBuffer()

export class Search {
  readonly found = new Keys()
  readonly #told = new Keys()
  readonly #pending: Place[] = []
  readonly #exclusions

  constructor(readonly options: SearchOptions) {
    this.#exclusions = exclusionsIn(options.volumes)
  }

  /** All volumes, in small steps. Throws TreeError. */
  *run(): Task {
    decodeInto(this.options.journal, this.#told)
    for (const volume of this.options.volumes) {
      must(stat.ofDescriptor(volume.root), 'stat', '')
      this.#look('', { volume, path: '', isForeign: false })
    }
    for (let next = this.#pending.pop(); next !== undefined; next = this.#pending.pop()) {
      const { volume, path } = next
      const directory = openDirectory(volume.root, path)
      // It went away, and a key says so; or something is mounted there, which is not replicated.
      if (isAbsent(directory) || directory === -E.XDEV) continue
      must(directory, 'open', path)
      try {
        yield* this.#directory(directory, next)
      } finally {
        close(directory)
      }
    }
    this.options.keys.addAll(this.found)
    this.options.told(this.found)
  }

  *#directory(directory: number, place: Place): Task {
    let looked = 0
    for (const names of listingsOf(directory, place.path)) {
      for (const { name } of inDiskOrder(names)) {
        const found = stat.ofName(directory, nameAddress(name))
        if (found !== -E.NOENT) {
          const path = join(place.path, name)
          must(found, 'stat', path)
          this.#look(path, place)
        }
        looked += 1
        if (looked % STEP_NAMES === 0) yield
      }
    }
    yield
  }

  /** `stat` shows it. */
  #look(path: BytePath, { volume, isForeign: isParentForeign }: Place): void {
    const isDirectory = (stat.mode & MODE.TYPE) === MODE.DIRECTORY
    const changed = changedOf(stat)
    if (isLeftOut(this.#exclusions, volume.index, path, isDirectory)) return
    const seen = { volume: volume.index, path, isDirectory, isParentForeign, changed }
    const next = lookAt(seen, { gaps: this.options.gaps, told: this.#told, found: this.found })
    if (next === 'done') return
    this.#pending.push({ volume, path, isForeign: next === 'beneathForeign' })
  }
}
