/** `plugin.json`: everything the host must know before it imports a line of a plugin's code. */

export interface PluginManifest {
  /** kebab-case, kind first: `checker-tcp`. */
  readonly id: string
  /** semver. */
  readonly version: string
  /** Range of Holdfast versions; it must fix the major. */
  readonly engines: { readonly holdfast: string }
  /** Entry file, relative to the manifest. */
  readonly entry: string
  /** `node`: one instance for the daemon. `module`: one for each module that uses it. */
  readonly scope: 'node' | 'module'
  readonly platforms: readonly ('linux' | 'win32')[]
  /**
   * Token and point ids, as in the definition's `needs`. `data.replica?`: may be missing. `point.checker*`: live, this plugin goes on
   * when contributors change.
   */
  readonly needs: readonly string[]
  /** Token ids. */
  readonly provides: readonly string[]
  /** Point ids. */
  readonly contributes: readonly string[]
  /** Other plugins that must be active too: id → semver range. The order of activation follows from needs alone. */
  readonly requires: Readonly<Record<string, string>>
  /** Plugin ids that may not be active beside it. */
  readonly conflicts: readonly string[]
  /** `exec`, `net.listen`, `mount`, `fs.write:/path` …: shown to the operator before installation. */
  readonly capabilities: readonly string[]
  /** `<service mode="…">` values that this plugin answers for (a topology only). */
  readonly modes?: readonly string[]
  /**
   * JSON schema of an object whose properties are the XML elements below `<service>` that this plugin
   * owns (`{ "rfs": {…} }`); the property `service` describes the attributes of `<service>` itself
   * (a topology only). An element with `"x-shared": true` only frames children of several plugins: each plugin lists
   * its own below it (`{ "check": { "x-shared": true, "properties": { "tcp": {…} } } }`). A plugin of scope `node` has
   * the schema of its own settings here.
   */
  readonly config: object
  /**
   * True: the plugin may be started, stopped and configured anew while its module runs; then it holds nothing that the
   * running application needs. Absent: a module that runs must be stopped for that.
   */
  readonly dynamic?: boolean
  /**
   * True: while a module is upgraded node by node, each node may have its own version and configuration of this plugin.
   * Absent: they are the same on all nodes of a module that runs, apart from versions with the same `wire`.
   */
  readonly rolling?: boolean
  /** The number of what this plugin says to itself on other nodes: versions with the same one understand each other. */
  readonly wire?: number
  /**
   * True: the entry is a program in any language that the host runs as a child process and talks to by lines of JSON
   * (docs/PLUGINS.md). Absent: it is a module that the daemon imports, which needs a signature that the operator trusts.
   */
  readonly process?: boolean
  readonly startTimeoutMs: number
  readonly stopTimeoutMs: number
}
