/** The configuration of `<user>` and the environment that scripts get. Pure. */
import { type Delays, type ModuleContext, moduleVariables } from '@holdfast/sdk'

/** As the schema in plugin.json binds it, defaults filled in. Times in seconds, size in KB. */
export interface ScriptsConfig {
  readonly user: {
    readonly nicestoptimeout: number
    readonly forcestoptimeout: number
    readonly starttimeout: number
    readonly logging: 'userlog' | 'none'
    readonly userlogsize: number
    readonly var?: readonly { readonly name: string; readonly value: string }[]
  }
}

/** A stop script is called twice at most: as it is, and with force. */
export function delays({ user }: ScriptsConfig): Delays {
  return { stopMs: (user.nicestoptimeout + user.forcestoptimeout) * 1_000 }
}

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Nothing of the daemon's own environment but PATH and what moves its directories. */
export function environmentOf(
  config: ScriptsConfig,
  context: ModuleContext,
  daemon: Readonly<Record<string, string | undefined>>,
  installation: string,
): Readonly<Record<string, string>> {
  const root = daemon['HOLDFAST_ROOT']
  const state = `${root === undefined || root === '/' ? '' : root}/var/lib/holdfast`
  return {
    PATH: daemon['PATH'] ?? defaultPath,
    HOME: '/root',
    LC_ALL: 'C.UTF-8',
    ...(root === undefined ? {} : { HOLDFAST_ROOT: root }),
    ...variablesOf(config),
    ...moduleVariables(context),
    SAFE: installation,
    SAFEBIN: `${installation}/bin`,
    SAFEVAR: state,
  }
}

/** `<var>`, by name. */
export function variablesOf({ user }: ScriptsConfig): Readonly<Record<string, string>> {
  return Object.fromEntries((user.var ?? []).map(({ name, value }) => [name, value]))
}

/** Every process that a script starts inherits this line, unless it cleans its environment. */
export function markOf({ directories }: ModuleContext): string {
  return `HOLDFAST_RUN=${directories.run}`
}

/** Why a `<var>` may not have this name, or undefined. */
export function variableProblem(name: string): string | undefined {
  if (/^(HOLDFAST_|SAFE)/.test(name))
    return `${name}: names that begin with HOLDFAST_ or SAFE are ours`
  return ['PATH', 'HOME', 'LD_PRELOAD', 'LD_LIBRARY_PATH', 'IFS', 'ENV', 'BASH_ENV'].includes(name)
    ? `${name} would change how every script runs; set it in the script that needs it`
    : undefined
}
