/** How far a copy is: counted before the work where everything is looked at, estimated from the keys else. */
import { E, MODE, close, cstring } from '../libc.js'
import { StatBuffer } from '../stat.js'
import type { Keys } from '../journal/keys.js'
import { join } from '../journal/path.js'
import type { BytePath, ResyncProgress, ResyncVolume } from '../resync-port.js'
import type { Task } from './files.js'
import { isAbsent, must, namesOf, openDirectory } from './tree.js'

type Phase = ResyncProgress['phase']

const stat = new StatBuffer()

export class Totals {
  #phase: Phase = 'comparing'
  #filesDone = 0
  #filesTotal = 0
  #bytesDone = 0
  #bytesTotal = 0

  /** A new round: counted from zero. */
  begin(phase: Phase): void {
    this.#phase = phase
    this.#filesDone = 0
    this.#filesTotal = 0
    this.#bytesDone = 0
    this.#bytesTotal = 0
  }

  phase(phase: Phase): void {
    this.#phase = phase
  }

  fileDone(size: number): void {
    this.#filesDone += 1
    this.#bytesDone += size
  }

  /** Counts the files of a volume and their bytes. */
  *count(volume: ResyncVolume): Task {
    const pending: BytePath[] = ['']
    for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
      const directory = openDirectory(volume.root, path)
      if (isAbsent(directory)) continue
      must(directory, 'open', path)
      try {
        for (const { name } of namesOf(directory, path)) {
          if (stat.ofName(directory, cstring(name)) === -E.NOENT) continue
          const type = stat.mode & MODE.TYPE
          if (type === MODE.DIRECTORY) pending.push(join(path, name))
          if (type === MODE.FILE) {
            this.#filesTotal += 1
            this.#bytesTotal += stat.size
          }
        }
      } finally {
        close(directory)
      }
      yield
    }
  }

  /** An estimate: a key is a file, a zone key a zone. */
  expectKeys(keys: Keys, zoneBytes: number): void {
    this.#filesTotal = keys.size
    this.#bytesTotal = keys.zoneCount * zoneBytes
  }

  progress(contentBytes: number): ResyncProgress {
    return {
      phase: this.#phase,
      filesDone: this.#filesDone,
      filesTotal: Math.max(this.#filesTotal, this.#filesDone),
      bytesDone: this.#bytesDone,
      bytesTotal: Math.max(this.#bytesTotal, this.#bytesDone),
      contentBytes,
    }
  }
}
