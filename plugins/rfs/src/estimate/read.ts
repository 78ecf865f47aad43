/** Reads the journal's file beside a data plane that may be writing it, and looks at the names in it. */
import fs from 'node:fs'
import { standingAtOpen } from '../plane/journal/decide.js'
import { decodeJournal } from '../plane/journal/format.js'
import { Keys } from '../plane/journal/keys.js'
import type { BytePath } from '../plane/resync-port.js'
import type { Estimate } from './estimate.js'

/** An estimate need not look at everything: a directory with a million names is told as more than this. */
const NAMES_MAX = 200_000

export interface Place {
  readonly file: string
  readonly directories: readonly string[]
  readonly zoneBytes: number
  readonly bootId: string
}

export function readEstimate({ file, directories, zoneBytes, bootId }: Place): Estimate {
  const found = fs.existsSync(file)
    ? decodeJournal(fs.readFileSync(file))
    : ({ header: undefined, tail: 'whole', windows: [] } as const)
  const { trusted, why, base } = standingAtOpen(found, { bootId, zoneBytes })
  const keys = new Keys()
  for (const window of found.windows) keys.addAll(window.keys)
  const counter = new Counter(directories)
  let attributes = 0
  keys.visit({
    entry: (volume, path) => {
      // What is beneath another key was counted with that one.
      if (!keys.covers(volume, path)) counter.add(volume, path)
    },
    zones: () => undefined,
    meta: () => void (attributes += 1),
    names: () => void (attributes += 1),
  })
  const never = base === undefined ? 'this node was never equal to another one' : undefined
  return {
    everything: trusted ? never : (why ?? 'the journal can not be used'),
    ...counter.counted,
    ...{ zones: keys.zoneCount, zoneBytes, attributes },
  }
}

/** Counts files and bytes of names and of what is beneath them; names that are gone count as one file. */
class Counter {
  #files = 0
  #bytes = 0
  #left = NAMES_MAX

  constructor(readonly directories: readonly string[]) {}

  get counted(): { readonly files: number; readonly bytes: number; readonly more: boolean } {
    return { files: this.#files, bytes: this.#bytes, more: this.#left === 0 }
  }

  add(volume: number, path: BytePath): void {
    const directory = this.directories[volume]
    if (directory === undefined) return
    const top = Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(path, 'latin1')])
    const pending: Buffer[] = [top]
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      if (this.#left === 0) return
      this.#left -= 1
      pending.push(...this.#look(next))
    }
  }

  /** Returns what is in it, when it is a directory. */
  #look(path: Buffer): readonly Buffer[] {
    try {
      const found = fs.lstatSync(path)
      if (found.isDirectory()) {
        const slash = Buffer.from('/')
        return fs
          .readdirSync(path, { encoding: 'buffer' })
          .map((name) => Buffer.concat([path, slash, name]))
      }
      this.#files += 1
      this.#bytes += found.isFile() ? found.size : 0
    } catch (error) {
      // Names come and go while the application runs: one that is gone must be removed on the other node.
      if (!(error instanceof Error && 'code' in error)) throw error
      if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error
      this.#files += 1
    }
    return []
  }
}
