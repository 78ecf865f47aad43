/**
 * Which plugins have to be brought here so that all that are required are there: versions that fit together, or all
 * reasons why there are none. What is installed stays when it fits. Pure.
 */
import { HoldfastError } from '@holdfast/sdk'
import { type Choice, fits, type Offer, rangeAllows, sorted } from './choose.js'
import type { RegistryPluginVersion } from './format.js'

/** Whoever asks for more has built a puzzle, not a plugin. */
const stepsMax = 10_000
const reasonsMax = 20

export type PluginChoice = Choice<RegistryPluginVersion>

/** A plugin of this node. */
export interface Present {
  readonly id: string
  readonly version: string
  readonly requires: Readonly<Record<string, string>>
  readonly builtin: boolean
  readonly enabled: boolean
}

/** Somebody, `by`, needs the plugin `id` in this range. */
export interface Demand {
  readonly id: string
  readonly range: string
  readonly by: string
}

export interface Surroundings {
  readonly present: readonly Present[]
  readonly offers: readonly Offer[]
  readonly platform: string
  /** Version of Holdfast. */
  readonly holdfast: string
}

interface Candidate {
  readonly version: string
  readonly requires: Readonly<Record<string, string>>
  /** Undefined: it is installed. */
  readonly choice: PluginChoice | undefined
}

type Picked = ReadonlyMap<string, Candidate>

export function demandsOf(
  requires: Readonly<Record<string, string>>,
  by: string,
): readonly Demand[] {
  return Object.entries(requires).map(([id, range]) => ({ id, range, by }))
}

/** A plugin that is needed and no part of Holdfast. */
export interface Needed {
  readonly id: string
  readonly version: string
  /** Undefined: it is installed. */
  readonly choice: PluginChoice | undefined
}

/** Throws `E_REGISTRY_REQUIRES` with every reason. */
export function resolvePlugins(
  demands: readonly Demand[],
  around: Surroundings,
): readonly Needed[] {
  const together = new Search(around)
  const picked = together.solve(demands, new Map())
  if (picked !== undefined) {
    const all = [...picked].map(([id, { version, choice }]) => ({ id, version, choice }))
    const parts = around.present.filter(({ builtin }) => builtin).map(({ id }) => id)
    return all.filter(({ id }) => !parts.includes(id))
  }
  // Each alone first: what lacks something of its own is not the fault of the others.
  const alone = demands.flatMap((demand) => {
    const search = new Search(around)
    return search.solve([demand], new Map()) === undefined ? [...search.reasons] : []
  })
  const reasons = [...new Set(alone.length > 0 ? alone : together.reasons)]
  throw new HoldfastError('E_REGISTRY_REQUIRES', reasons.slice(0, reasonsMax).join('; '), {
    hint: '"holdfast registry update" asks the registries again; "holdfast plugin install FILE" installs one from a file',
  })
}

class Search {
  private steps = 0
  readonly reasons = new Set<string>()

  constructor(private readonly around: Surroundings) {}

  /** Undefined: no versions fit together. */
  solve(demands: readonly Demand[], picked: Picked): Picked | undefined {
    const id = demands.find((demand) => !picked.has(demand.id))?.id
    if (id === undefined) return picked
    const wanted = demands.filter((demand) => demand.id === id)
    const fitting = this.candidates(id).filter(({ version, choice }) =>
      wanted.every(({ range }) => meets(version, range, choice)),
    )
    if (fitting.length === 0) this.reasons.add(this.lack(id, wanted))
    for (const candidate of fitting) {
      this.steps += 1
      if (this.steps > stepsMax) return undefined
      const added = demandsOf(candidate.requires, `${id} ${candidate.version}`)
      const now = new Map([...picked, [id, candidate]])
      if (!this.agrees(added, now)) continue
      const solved = this.solve([...demands, ...added], now)
      if (solved !== undefined) return solved
    }
    return undefined
  }

  /** Installed ones first, then from newest to oldest. */
  private candidates(id: string): readonly Candidate[] {
    const { present, offers, platform, holdfast } = this.around
    const here = present.filter((one) => one.id === id)
    const installed = here.filter(({ enabled }) => enabled)
    const kept = sorted(installed).map(({ version, requires }) => ({
      ...{ version, requires, choice: undefined },
    }))
    if (isFixed(here)) return kept
    const usable = offered(id, offers).filter(
      ({ version }) =>
        version.platforms.includes(platform) && rangeAllows(version.holdfast, holdfast),
    )
    const fresh = usable.map((choice) => {
      const { version, requires } = choice.version
      return { version, requires, choice }
    })
    return [...kept, ...sorted<Candidate>(fresh)]
  }

  private agrees(added: readonly Demand[], picked: Picked): boolean {
    const broken = added.find(({ id, range }) => {
      const other = picked.get(id)
      return other !== undefined && !meets(other.version, range, other.choice)
    })
    if (broken === undefined) return true
    const { id, range, by } = broken
    this.reasons.add(`${by} requires ${id} ${range}, beside ${picked.get(id)?.version ?? '?'}`)
    return false
  }

  private lack(id: string, wanted: readonly Demand[]): string {
    const { present, offers, platform, holdfast } = this.around
    const needed = [...new Set(wanted.map(({ by, range }) => `${by} requires ${range}`))].join(', ')
    const here = present.filter((one) => one.id === id)
    if (here.some(({ enabled }) => !enabled)) {
      return `plugin ${id} (${needed}) is disabled: holdfast plugin enable ${id}`
    }
    const installed = here.map(({ version, builtin }) =>
      builtin ? `${version} (a part of Holdfast)` : `${version} (installed)`,
    )
    const others = (isFixed(here) ? [] : offered(id, offers)).map(({ source, version: one }) => {
      const isFor = one.platforms.includes(platform) ? '' : `, for ${one.platforms.join(' ')}`
      const made = rangeAllows(one.holdfast, holdfast) ? '' : `, for Holdfast ${one.holdfast}`
      return `${one.version} (${source}${isFor}${made})`
    })
    const there = [...installed, ...others]
    const places = offers.map(({ source }) => source).join(', ')
    const found =
      there.length === 0 ? `it is in none of ${places}` : `there are ${there.join(', ')}`
    return `plugin ${id} (${needed}): ${found}`
  }
}

function offered(id: string, offers: readonly Offer[]): readonly PluginChoice[] {
  return offers.flatMap(({ source, plugins }) =>
    plugins
      .filter((plugin) => plugin.id === id)
      .flatMap(({ versions }) => versions.map((version) => ({ source, id, version }))),
  )
}

/** A part of Holdfast can't be replaced by another plugin with its name. */
function isFixed(present: readonly Present[]): boolean {
  return present.some(({ builtin }) => builtin)
}

/** What is installed is used as the host would use it; what is not is chosen like any version of a registry. */
function meets(version: string, range: string, choice: PluginChoice | undefined): boolean {
  return choice === undefined ? rangeAllows(range, version) : fits(range, version)
}
