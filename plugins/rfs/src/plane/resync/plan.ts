/** From keys to work: which directories are visited, and which names are looked at in them. */
import { nameOf, parentOf } from '../journal/path.js'
import type { Keys } from '../journal/keys.js'
import type { ZoneSet } from '../journal/zones.js'
import type { BytePath } from '../resync-port.js'

/** What is wanted of one name. */
export interface Want {
  /** Its existence, type and content, and everything beneath it. */
  entry: boolean
  /** Only these zones of its content. */
  zones: ZoneSet | undefined
}

/** The names that are looked at, by directory. An empty list of names: only the attributes of the directory. */
export type Plan = Map<BytePath, Map<BytePath, Want>>

export interface VolumePlan {
  readonly volume: number
  /** Everything is looked at; `directories` is empty then. */
  readonly whole: boolean
  readonly directories: Plan
  /** Directories of which the names are compared, and not what they stand for. */
  readonly listed: readonly BytePath[]
}

/** Plans the keys of each volume. Keys beneath an entry key are part of it. */
export function planOf(keys: Keys, volumes: readonly number[]): VolumePlan[] {
  const plans = new Map<number, { whole: boolean; directories: Plan; listed: BytePath[] }>()
  for (const volume of volumes) {
    plans.set(volume, { whole: false, directories: new Map(), listed: [] })
  }
  const add = (volume: number, path: BytePath, want: Want): void => {
    const plan = plans.get(volume)
    if (plan === undefined || keys.covers(volume, path)) return
    if (path === '') {
      plan.whole ||= want.entry
      // Attributes of the root: a visit that names nothing ends with them.
      if (!want.entry) namesIn(plan.directories, '')
      return
    }
    addWant(plan.directories, path, want)
  }
  keys.visit({
    entry: (volume, path) => add(volume, path, { entry: true, zones: undefined }),
    zones: (volume, path, zones) => add(volume, path, { entry: false, zones }),
    meta: (volume, path) => add(volume, path, { entry: false, zones: undefined }),
    names: (volume, path) => {
      if (!keys.covers(volume, path)) plans.get(volume)?.listed.push(path)
    },
  })
  return [...plans].map(([volume, { whole, directories, listed }]) => ({
    volume,
    whole,
    directories: whole ? new Map() : directories,
    listed: whole ? [] : listed,
  }))
}

/** Adds one name; what was wanted of it before is kept. */
export function addWant(plan: Plan, path: BytePath, want: Want): void {
  const names = namesIn(plan, parentOf(path))
  const known = names.get(nameOf(path))
  if (known === undefined) names.set(nameOf(path), want)
  else {
    known.entry ||= want.entry
    known.zones ??= want.zones
  }
}

function namesIn(plan: Plan, directory: BytePath): Map<BytePath, Want> {
  let names = plan.get(directory)
  if (names === undefined) {
    names = new Map<BytePath, Want>()
    plan.set(directory, names)
  }
  return names
}
