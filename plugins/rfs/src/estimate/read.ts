/** Reads the journal's file beside a data plane that may be writing it, and looks at the names in it and at what others changed. */
import fs from 'node:fs'
import type { PlaneLaunch } from '../driver/protocol.js'
import { encodeKeys } from '../plane/journal/codec.js'
import { type Found, gapsAtOpen, standingAtOpen } from '../plane/journal/decide.js'
import { momentOfMachine } from '../plane/journal/file.js'
import { decodeJournal, type Decoded } from '../plane/journal/format.js'
import type { Gap } from '../plane/journal/gaps.js'
import { Keys } from '../plane/journal/keys.js'
import type { BytePath } from '../plane/resync-port.js'
import { Search } from '../plane/resync/search.js'
import type { Estimate } from './estimate.js'
import { rootsOf, unlessGone } from './roots.js'

/** An estimate need not look at everything: a directory with a million names is told as more than this. */
const NAMES_MAX = 200_000

/** Looking for what others changed: about 2 s for a million names that are in memory. On a disk that is slower it ends here. */
const SEARCH_MS_MAX = 30_000

export interface Place {
  /** Where the journal is. */
  readonly directory: string
  readonly volumes: PlaneLaunch['volumes']
  readonly zoneBytes: number
  readonly bootId: string
  /** The data plane that is in charge of the directories; undefined: none is. */
  readonly pid: number | undefined
}

export function readEstimate(place: Place): Estimate {
  const { zoneBytes, bootId } = place
  const file = `${place.directory}/journal`
  const found: Decoded = fs.existsSync(file)
    ? decodeJournal(fs.readFileSync(file))
    : { header: undefined, tail: 'whole', windows: [] }
  const { trusted, why, base } = standingAtOpen(found, { bootId, zoneBytes })
  const keys = new Keys()
  for (const window of found.windows) keys.addAll(window.keys)
  const roots = rootsOf(place.volumes, place.pid)
  try {
    const gaps = trusted ? gapsOf(found, fs.statSync(file).mtimeMs, place) : []
    const searched = gaps.length === 0 ? {} : { foreign: searchIn(place, roots, gaps, keys) }
    const never = base === undefined ? 'this node was never equal to another one' : undefined
    return {
      everything: trusted ? never : (why ?? 'the journal can not be used'),
      ...counted(keys, roots),
      ...{ zones: keys.zoneCount, zoneBytes, ...searched },
    }
  } finally {
    for (const root of roots.values()) fs.closeSync(root)
  }
}

/** As a data plane would find them that is started now; one that is in charge has let nobody in since it was. */
function gapsOf(found: Found, modifiedMs: number, { pid, bootId }: Place): readonly Gap[] {
  if (pid === undefined) {
    return gapsAtOpen(found, Math.floor(modifiedMs), { ...momentOfMachine(), bootId })
  }
  return typeof found.header === 'object' ? (found.header.gaps ?? []) : []
}

/** Adds what others changed to the keys. */
function searchIn(
  { volumes }: Place,
  roots: ReadonlyMap<number, number>,
  gaps: readonly Gap[],
  keys: Keys,
): NonNullable<Estimate['foreign']> {
  const open = volumes.flatMap((volume) => {
    const root = roots.get(volume.index)
    return root === undefined ? [] : [{ ...volume, root }]
  })
  const nobody = (): void => undefined
  const journal = encodeKeys(keys)
  const search = new Search({ volumes: open, gaps, journal, keys, told: nobody })
  const until = performance.now() + SEARCH_MS_MAX
  const task = search.run()
  let isDone = false
  while (!isDone && performance.now() < until) isDone = task.next().done === true
  if (!isDone) keys.addAll(search.found)
  return { names: search.found.size, all: isDone }
}

function counted(
  keys: Keys,
  roots: ReadonlyMap<number, number>,
): Pick<Estimate, 'files' | 'bytes' | 'more' | 'attributes'> {
  const counter = new Counter(roots)
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
  return { ...counter.counted, attributes }
}

/** Counts files and bytes of names and of what is beneath them; names that are gone count as one file. */
class Counter {
  #files = 0
  #bytes = 0
  #left = NAMES_MAX

  constructor(readonly roots: ReadonlyMap<number, number>) {}

  get counted(): { readonly files: number; readonly bytes: number; readonly more: boolean } {
    return { files: this.#files, bytes: this.#bytes, more: this.#left === 0 }
  }

  add(volume: number, path: BytePath): void {
    const root = this.roots.get(volume)
    if (root === undefined) return
    const top = Buffer.concat([Buffer.from(`/proc/self/fd/${root}/`), Buffer.from(path, 'latin1')])
    const pending: Buffer[] = [top]
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      if (this.#left === 0) return
      this.#left -= 1
      pending.push(...this.#look(next))
    }
  }

  /** Returns what is in it, when it is a directory. */
  #look(path: Buffer): readonly Buffer[] {
    const found = unlessGone(() => fs.lstatSync(path))
    if (found?.isDirectory() === true) return unlessGone(() => namesIn(path)) ?? []
    // Names come and go while the application runs: one that is gone must be removed on the other node.
    this.#files += 1
    this.#bytes += found?.isFile() === true ? found.size : 0
    return []
  }
}

function namesIn(directory: Buffer): readonly Buffer[] {
  const slash = Buffer.from('/')
  return fs
    .readdirSync(directory, { encoding: 'buffer' })
    .map((name) => Buffer.concat([directory, slash, name]))
}
