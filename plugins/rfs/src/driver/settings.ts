/** The plugin's configuration after its schema, and what the data plane is told of it. Pure. */
import type { Delays, ModuleContext } from '@holdfast/sdk'
import { type PlaneLaunch, portOf } from './protocol.js'
import { objectOf } from './object.js'

/** As the schema in plugin.json binds it, defaults filled in. */
export interface RfsConfig {
  readonly rfs: {
    readonly async: 'none' | 'second'
    readonly zone: number
    readonly timeout: number
    readonly encryption: boolean
    readonly awake: boolean
    readonly reiallowedbw?: number
    /** Cron expressions. */
    readonly verify?: string
    readonly syncat?: string
    readonly replicated: readonly {
      readonly dir: string
      readonly tocheck?: readonly { readonly path: string }[]
      readonly notreplicated?: readonly { readonly path?: string; readonly regexpath?: string }[]
    }[]
    readonly flow?: { readonly name: string }
  }
}

/** The link is lost after this silence; whoever serves learns of a cut at the latest then. */
export function delays({ rfs }: RfsConfig): Delays {
  return { linkMs: rfs.timeout }
}

/** What the data plane is told when it starts. */
export function launchOf(config: RfsConfig, context: ModuleContext): PlaneLaunch {
  const { rfs } = config
  return {
    format: 1,
    module: context.name,
    node: context.node,
    socket: socketOf(context),
    journal: `${context.directories.state}/journal`,
    volumes: rfs.replicated.map(({ dir, notreplicated }, index) => ({
      index,
      directory: dir,
      ...(notreplicated === undefined ? {} : { notReplicated: notreplicated }),
    })),
    zoneBytes: rfs.zone,
    timeoutMs: rfs.timeout,
    async: rfs.async,
    encryption: rfs.encryption,
    awake: rfs.awake,
    // All addresses: the one in cluster.xml may be a name that means loopback here, or be translated on the way, and
    // a node must serve with any of its interfaces down. Who connects must prove that it knows the session.
    listen: { address: undefined, port: portOf(context.id) },
    // The configuration says KB/s, as network people count: 1,000 bytes.
    copyBytesPerSecond: rfs.reiallowedbw === undefined ? undefined : rfs.reiallowedbw * 1_000,
  }
}

export function socketOf(context: ModuleContext): string {
  return `${context.directories.run}/rfs.sock`
}

/** The directories in a configuration that this version may not have bound itself (another module's, an older one's). */
export function directoriesOf(config: unknown): readonly string[] {
  const replicated = objectOf(objectOf(config)?.['rfs'])?.['replicated']
  if (!Array.isArray(replicated)) return []
  return replicated
    .map((one: unknown) => objectOf(one)?.['dir'])
    .filter((dir) => typeof dir === 'string')
}

/** The absolute path of a `<tocheck>`, or undefined when it would leave the directory. */
export function toCheckPath(directory: string, path: string): string | undefined {
  const absolute = path.startsWith('/') ? path : `${directory}/${path}`
  const leaves = absolute.split('/').includes('..')
  return !leaves && isBeneath(absolute, directory) ? absolute : undefined
}

/** True when `path` is `directory` or lies in it. Both absolute and normalised. */
export function isBeneath(path: string, directory: string): boolean {
  return directory === '/' || path === directory || path.startsWith(`${directory}/`)
}
