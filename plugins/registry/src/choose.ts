/** Which archive is meant by a name and a range, and what a search finds. Pure. The only file here that knows semver. */
import { HoldfastError } from '@holdfast/sdk'
import semver from 'semver'
import type { RegistryModule, RegistryVersion } from './format.js'

/** A place that offers modules: a registry, what is delivered with Holdfast, or another node. */
export interface Offer {
  readonly source: string
  readonly modules: readonly RegistryModule[]
}

export interface Choice {
  readonly source: string
  readonly id: string
  readonly version: RegistryVersion
}

/** `[registry/]id[@range]`. */
export interface Wanted {
  readonly source: string | undefined
  readonly id: string
  readonly range: string
}

const form = /^(?:([a-z][a-z0-9-]{0,31})\/)?([a-z][a-z0-9_-]{0,31})(?:@(.{1,64}))?$/

/** Throws `E_REGISTRY_NAME`. */
export function parseWanted(text: string): Wanted {
  const [, source, id, range = '*'] = form.exec(text) ?? []
  if (id !== undefined && semver.validRange(range) !== null) return { source, id, range }
  throw new HoldfastError('E_REGISTRY_NAME', `"${text.slice(0, 100)}" names no module`, {
    hint: 'write id, id@1.2.3 or id@^1.2.0, with REGISTRY/ before it when several have it',
  })
}

/** The newest version that fits; of two places that have it the first. Throws `E_REGISTRY_UNKNOWN`. */
export function choose(wanted: Wanted, offers: readonly Offer[], platform: string): Choice {
  const named = candidates(wanted, offers)
  const fitting = named.filter(
    ({ version }) =>
      version.platforms.includes(platform) && semver.satisfies(version.version, wanted.range),
  )
  const [best] = [...fitting].sort((a, b) => semver.rcompare(a.version.version, b.version.version))
  if (best !== undefined) return best
  throw unknown(wanted, named, offers)
}

/** Every word must occur in id, title or description. One choice a module and source: the newest. */
export function search(text: string, offers: readonly Offer[]): readonly Choice[] {
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '')
  return offers.flatMap(({ source, modules }) =>
    modules.flatMap(({ id, versions }) => {
      const [version] = sorted(versions)
      if (version === undefined) return []
      const all = `${id} ${version.title} ${version.description ?? ''}`.toLowerCase()
      return words.every((word) => all.includes(word)) ? [{ source, id, version }] : []
    }),
  )
}

/** Newest first. */
export function sorted(versions: readonly RegistryVersion[]): readonly RegistryVersion[] {
  return [...versions].sort((a, b) => semver.rcompare(a.version, b.version))
}

function candidates({ source, id }: Wanted, offers: readonly Offer[]): readonly Choice[] {
  return offers
    .filter((offer) => source === undefined || offer.source === source)
    .flatMap((offer) =>
      offer.modules
        .filter((module) => module.id === id)
        .flatMap(({ versions }) =>
          versions.map((version) => ({ source: offer.source, id, version })),
        ),
    )
}

function unknown(
  { source, id, range }: Wanted,
  named: readonly Choice[],
  offers: readonly Offer[],
): HoldfastError {
  const where = source ?? (offers.map((offer) => offer.source).join(', ') || 'no registry at all')
  const versions = named.map(
    ({ version }) => `${version.version} (${version.platforms.join(', ')})`,
  )
  const present =
    versions.length === 0 ? 'it is not there' : `there are ${[...new Set(versions)].join(', ')}`
  return new HoldfastError('E_REGISTRY_UNKNOWN', `no ${id}@${range} in ${where}: ${present}`, {
    hint: '"holdfast registry update" asks the registries again, "holdfast registry search" shows all',
  })
}
