/** Packages of modules, as operators see them: what an archive is, what an installation did, what an upgrade kept. */
import type { ModuleView } from './control.js'

/** A module to install, or the package to upgrade it to. */
export interface PackageSource {
  /** Absolute: a directory with sources, a `.safe` archive, or an archive of another product (zip). */
  readonly path: string
  /** Values for macros of its configuration, by name. */
  readonly parameters?: Readonly<Record<string, string>>
  /** Where the file came from, when `path` is only a copy. */
  readonly from?: string
  /** Who answers for these bytes when nobody signed the archive itself: `the index of acme, signed by acme`. */
  readonly vouched?: string
}

/** A package to look at; with `install` or `upgrade`, the name of a module, as that order would. */
export interface PackageQuestion extends Pick<PackageSource, 'path' | 'parameters'> {
  readonly install?: string
  readonly upgrade?: string
}

export interface PackageParameter {
  readonly name: string
  readonly type: 'string' | 'integer' | 'number' | 'boolean'
  readonly title: string | undefined
  readonly description: string | undefined
  readonly required: boolean
  readonly value: string
  /** The values that are allowed, if they are a few words. */
  readonly choices?: readonly string[]
}

export interface PackageView {
  readonly id: string
  readonly version: string
  readonly title: string
  readonly description: string | undefined
  readonly platforms: readonly string[]
  /** Plugins that it needs: id → range. */
  readonly requires: Readonly<Record<string, string>>
  readonly parameters: readonly PackageParameter[]
  readonly files: readonly string[]
  /** Of the sources of an installed module: where they came from. */
  readonly from: string | undefined
  /** Name of the trusted key that signed it. Undefined: nobody whom this node trusts. */
  readonly signedBy: string | undefined
  /** Of the sources of an installed module that nobody signed: who answered for them all the same. */
  readonly vouched: string | undefined
  /** Of the sources of an installed module: what was changed by hand since. */
  readonly changed: readonly string[]
  /** What has to be known before it is used, a sentence each. */
  readonly notes: readonly string[]
}

export interface InstallReport extends ModuleView {
  readonly notes: readonly string[]
}

/** What an upgrade or a rollback did to the sources. The application is not touched before `config`. */
export interface UpgradeReport {
  readonly from: string
  readonly to: string
  /** Files that were replaced, added or removed. */
  readonly taken: readonly string[]
  /** Files that both the operator and the package changed: the operator's stay. */
  readonly conflicts: readonly string[]
  readonly notes: readonly string[]
}
