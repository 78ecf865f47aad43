/** Other names of files that the source told about: both trees must agree about all names of a file. For one round. */
import { isLeftOut, type Exclusions } from '../exclusions.js'
import type { BytePath, ResyncVolume } from '../resync-port.js'
import { namesOfInodes } from './links.js'

export class Siblings {
  /** Inodes with several names, whose other names are not searched yet, by volume. */
  #linked = new Map<number, Set<number>>()
  /** Names that were told about, and inodes that were searched for: `volume/path`, `volume/inode`. */
  readonly #told = new Set<string>()
  readonly #searched = new Set<string>()

  /** A file with several names was told about under this one. */
  tell(volume: number, inode: number, path: BytePath): void {
    this.#told.add(`${volume}/${path}`)
    if (this.#searched.has(`${volume}/${inode}`)) return
    this.#searched.add(`${volume}/${inode}`)
    let inodes = this.#linked.get(volume)
    if (inodes === undefined) this.#linked.set(volume, (inodes = new Set()))
    inodes.add(inode)
  }

  /** Searches for the names that were not told about. Undefined: a step in which none was found. */
  *search(
    volumes: readonly ResyncVolume[],
    exclusions: ReadonlyMap<number, Exclusions>,
  ): Generator<{ readonly volume: number; readonly path: BytePath } | undefined> {
    const linked = this.#linked
    this.#linked = new Map()
    for (const { index, root } of volumes) {
      const inodes = linked.get(index)
      if (inodes === undefined) continue
      for (const { path } of namesOfInodes(root, inodes, () => undefined)) {
        const isNew =
          !isLeftOut(exclusions, index, path, false) && !this.#told.has(`${index}/${path}`)
        yield isNew ? { volume: index, path } : undefined
      }
    }
  }
}
