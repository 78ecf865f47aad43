/** Which archive is meant by a name and a range, and what a search finds. Pure. The only file here that knows semver. */
import { HoldfastError, nearest } from '@holdfast/sdk'
import semver from 'semver'
import type { RegistryPluginVersion, RegistryVersion, Stock } from './format.js'

/** A place that offers modules and plugins: a registry, what is delivered with Holdfast, or another node. */
export interface Offer extends Stock {
  readonly source: string
}

/** Of an offer, what is of one kind. */
export interface Shelf<V extends RegistryVersion> {
  readonly source: string
  readonly entries: readonly { readonly id: string; readonly versions: readonly V[] }[]
}

export interface Choice<V extends RegistryVersion> {
  readonly source: string
  readonly id: string
  readonly version: V
}

/** `[registry/]id[@range]`. */
export interface Wanted {
  readonly source: string | undefined
  readonly id: string
  readonly range: string
}

const form = /^(?:([a-z][a-z0-9-]{0,31})\/)?([a-z][a-z0-9_-]{0,63})(?:@(.{1,64}))?$/

export function moduleShelves(offers: readonly Offer[]): readonly Shelf<RegistryVersion>[] {
  return offers.map(({ source, modules }) => ({ source, entries: modules }))
}

export function pluginShelves(offers: readonly Offer[]): readonly Shelf<RegistryPluginVersion>[] {
  return offers.map(({ source, plugins }) => ({ source, entries: plugins }))
}

/** Throws `E_REGISTRY_NAME`. */
export function parseWanted(text: string): Wanted {
  const [, source, id, range = '*'] = form.exec(text) ?? []
  if (id !== undefined && semver.validRange(range) !== null) return { source, id, range }
  throw new HoldfastError(
    'E_REGISTRY_NAME',
    `"${text.slice(0, 100)}" names no module and no plugin`,
    {
      hint: 'write id, id@1.2.3 or id@^1.2.0, with REGISTRY/ before it when several have it',
    },
  )
}

/** The newest version that fits; of two places that have it the first. Throws `E_REGISTRY_UNKNOWN`. */
export function choose<V extends RegistryVersion>(
  wanted: Wanted,
  shelves: readonly Shelf<V>[],
  platform: string,
): Choice<V> {
  const named = candidates(wanted, shelves)
  const fitting = named.filter(
    ({ version }) => version.platforms.includes(platform) && fits(wanted.range, version.version),
  )
  const [best] = [...fitting].sort((a, b) => semver.rcompare(a.version.version, b.version.version))
  if (best !== undefined) return best
  throw unknown(wanted, named, shelves)
}

/** Every word must occur in id, title or description. One choice an entry and source: the newest. */
export function search<V extends RegistryVersion>(
  text: string,
  shelves: readonly Shelf<V>[],
): readonly Choice<V>[] {
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '')
  return shelves.flatMap(({ source, entries }) =>
    entries.flatMap(({ id, versions }) => {
      const [version] = sorted(versions)
      if (version === undefined) return []
      const all = `${id} ${version.title} ${version.description ?? ''}`.toLowerCase()
      return words.every((word) => all.includes(word)) ? [{ source, id, version }] : []
    }),
  )
}

/** A pre-release fits only a range that names one. */
export function fits(range: string, version: string): boolean {
  return semver.satisfies(version, range)
}

/** A pre-release counts as its version, as it does for the host. */
export function rangeAllows(range: string, version: string): boolean {
  return semver.satisfies(version, range, { includePrerelease: true })
}

/** Newest first. */
export function sorted<T extends Pick<RegistryVersion, 'version'>>(
  versions: readonly T[],
): readonly T[] {
  return [...versions].sort((a, b) => semver.rcompare(a.version, b.version))
}

function candidates<V extends RegistryVersion>(
  { source, id }: Wanted,
  shelves: readonly Shelf<V>[],
): readonly Choice<V>[] {
  return shelves
    .filter((shelf) => source === undefined || shelf.source === source)
    .flatMap((shelf) =>
      shelf.entries
        .filter((entry) => entry.id === id)
        .flatMap(({ versions }) =>
          versions.map((version) => ({ source: shelf.source, id, version })),
        ),
    )
}

function unknown(
  { source, id, range }: Wanted,
  named: readonly Choice<RegistryVersion>[],
  shelves: readonly Shelf<RegistryVersion>[],
): HoldfastError {
  const sources = shelves.map((shelf) => shelf.source)
  if (source !== undefined && !sources.includes(source)) {
    return new HoldfastError('E_REGISTRY_UNKNOWN', `there is no registry ${source}`, {
      hint: suggestion(source, sources, `places that are asked: ${sources.join(', ')}`),
    })
  }
  const where = source ?? (sources.join(', ') || 'no registry at all')
  const versions = named.map(
    ({ version }) => `${version.version} (${version.platforms.join(', ')})`,
  )
  const present =
    versions.length === 0 ? 'it is not there' : `there are ${[...new Set(versions)].join(', ')}`
  const ids = shelves.flatMap(({ entries }) => entries.map((entry) => entry.id))
  return new HoldfastError('E_REGISTRY_UNKNOWN', `no ${id}@${range} in ${where}: ${present}`, {
    hint: suggestion(
      named.length === 0 ? id : '',
      ids,
      '"holdfast registry update" asks the registries again, "holdfast registry search" shows all',
    ),
  })
}

/** The hint of an error about a name that is not there. */
export function suggestion(name: string, known: readonly string[], otherwise: string): string {
  const near = nearest(name, known)
  return near === undefined ? otherwise : `did you mean ${near}? ${otherwise}`
}
