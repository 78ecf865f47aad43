/** Plugins as operators see them: what is installed, who answers for it, what is active and why not. */

export interface PluginFailure {
  readonly code: string
  readonly reason: string
}

export interface PluginView {
  readonly id: string
  readonly version: string
  readonly scope: 'node' | 'module'
  /** `builtin`: part of Holdfast. `signed`: by a key that the operator trusts. `foreign`: by nobody whom this node trusts. */
  readonly trust: 'builtin' | 'signed' | 'foreign'
  /** Name of that key. */
  readonly signedBy: string | undefined
  /** It runs as a child process, not inside the daemon. */
  readonly process: boolean
  readonly enabled: boolean
  /** What it says that it does: shown before it is installed. Nothing enforces it for code inside the daemon. */
  readonly capabilities: readonly string[]
  /** XML elements of a module that are its own: `<check><tcp>`. */
  readonly elements: readonly string[]
  readonly requires: Readonly<Record<string, string>>
  /** Modules of this node that are configured with this version. */
  readonly usedBy: readonly string[]
  /** Why it can't be used. */
  readonly failure: PluginFailure | undefined
}

/** One plugin in a set: that of a module, or that of the node. */
export interface PluginActivity {
  readonly id: string
  readonly version: string
  /** `active`, or the last step of its life that it reached: `resolved`, `failed` … */
  readonly state: string
  /** Plugins whose instances it holds. */
  readonly after: readonly string[]
  /** How long its activation took. */
  readonly startedMs: number | undefined
  readonly failure: PluginFailure | undefined
}

export interface PluginsReport {
  /** `module` undefined: the plugins of the node. In the order of activation. */
  readonly sets: readonly {
    readonly module: string | undefined
    readonly failure: PluginFailure | undefined
    readonly plugins: readonly PluginActivity[]
  }[]
  /** Installed and in no set, each with the reason as a sentence. */
  readonly idle: readonly {
    readonly id: string
    readonly version: string
    readonly reason: string
  }[]
}

/** An archive: its bytes in base64, or the absolute path of a file on this node. */
export type PluginArchive = { readonly data: string } | { readonly path: string }

export interface TrustedKeyView {
  readonly id: string
  readonly name: string
}
