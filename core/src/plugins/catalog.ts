/**
 * The plugins of this node in memory: those of the installation and those that the operator added. Of each id a module
 * uses one version: the one with which it was configured, otherwise the newest that it allows.
 */
import type { PluginManifest } from '@holdfast/sdk'
import type { BrokenPlugin, Discovered, PluginSource } from '../kernel/discover.js'
import { compareVersions, satisfies } from '../kernel/versions.js'
import type { PluginStore } from './store.js'

/** Plugin id → version. */
export type Bound = Readonly<Record<string, string>>
/** Plugin id → range of versions. */
export type Ranges = Readonly<Record<string, string>>

/** What a set of plugins is made from. */
export interface Choice {
  readonly sources: readonly PluginSource[]
  /** Id → why it can't be used. */
  readonly broken: ReadonlyMap<string, string>
  /** What is there, and the operator does not want to be used. */
  readonly disabled: readonly PluginManifest[]
}

export class PluginCatalog implements Discovered {
  private all: readonly PluginSource[] = []
  private unusable: readonly BrokenPlugin[] = []
  private off: readonly string[] = []

  constructor(
    private readonly builtin: Discovered,
    private readonly store: PluginStore | undefined,
  ) {
    this.all = builtin.sources
    this.unusable = builtin.broken
  }

  /** Reads the disk again: after a start, an installation, a removal. */
  async refresh(): Promise<void> {
    await this.store?.linkSdk()
    const stored = (await this.store?.list()) ?? []
    const added = stored.flatMap(({ source }) => (source === undefined ? [] : [source]))
    const broken = stored.flatMap((one) => (one.broken === undefined ? [] : [one.broken]))
    this.off = (await this.store?.disabled()) ?? []
    this.all = [...this.builtin.sources, ...added]
    this.unusable = [...this.builtin.broken, ...broken]
  }

  /** Every version, also of disabled plugins. */
  get versions(): readonly PluginSource[] {
    return this.all
  }

  /** Every version of plugins that are not disabled. */
  get usable(): readonly PluginSource[] {
    return this.all.filter(({ manifest }) => !this.off.includes(manifest.id))
  }

  get broken(): readonly BrokenPlugin[] {
    return this.unusable
  }

  get disabled(): readonly string[] {
    return this.off
  }

  /** The newest version of each plugin that is not disabled. */
  get sources(): readonly PluginSource[] {
    return this.choose({}).sources
  }

  /** `ranges`: of what is not bound, only these versions. */
  choose(bound: Bound, ranges: Ranges = {}): Choice {
    const sources: PluginSource[] = []
    const disabled: PluginManifest[] = []
    const broken = new Map(this.unusable.map(({ id, reason }) => [id.replace(/@.*$/, ''), reason]))
    const ids = new Set([...this.all.map(({ manifest }) => manifest.id), ...Object.keys(bound)])
    for (const id of [...ids].sort()) {
      const [exact, range = '*'] = [bound[id], ranges[id]]
      const wanted = exact ?? ranges[id]
      const candidates = this.all.filter(({ manifest }) => manifest.id === id)
      const source = newest(
        candidates.filter(({ manifest: { version } }) =>
          exact === undefined ? satisfies(version, range) : version === exact,
        ),
      )
      if (this.off.includes(id)) {
        broken.set(id, `it is disabled: holdfast plugin enable ${id}`)
        if (source !== undefined) disabled.push(source.manifest)
      } else if (source !== undefined) sources.push(source)
      else if (wanted !== undefined) broken.set(id, missing(id, wanted, candidates, this.unusable))
    }
    return { sources, broken, disabled }
  }
}

function newest(sources: readonly PluginSource[]): PluginSource | undefined {
  return [...sources].sort((a, b) => compareVersions(b.manifest.version, a.manifest.version))[0]
}

function missing(
  id: string,
  wanted: string,
  candidates: readonly PluginSource[],
  broken: readonly BrokenPlugin[],
): string {
  const why = broken.find((one) => one.id === `${id}@${wanted}`)?.reason
  if (why !== undefined) return why
  const there = candidates.map(({ manifest }) => manifest.version).join(', ')
  return `version ${wanted} is not installed here${there === '' ? '' : `, only ${there}`}`
}
