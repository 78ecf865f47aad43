/** One machine of a lab: a set of namespaces with its own disks, that can be switched on, off, frozen and entered. */
import type { ChildProcess } from 'node:child_process'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  type CommandOptions,
  type CommandResult,
  LabError,
  mustRun,
  runCommand,
  startDetached,
} from './command.js'
import { Freezer } from './freezer.js'
import type { Network } from './network.js'
import { isRunning, killAll, processesIn, processesLike, signal } from './processes.js'
import { type Cable, cablesOf, hostDirectory, hostNamespace, type LabSpec } from './spec.js'
import { monotonicMs, until } from './wait.js'
import { Watchdog, watchdogDevice } from './watchdog.js'

export const scriptsDirectory = fileURLToPath(new URL('../scripts/', import.meta.url))
const repositoryDirectory = fileURLToPath(new URL('../../../', import.meta.url))

/** Places that a host covers with its own file systems. */
const coveredPlaces = ['/tmp', '/run', '/srv', '/var/lib/holdfast', '/etc/holdfast'] as const
/** The host's own directories on its disk: name on the disk and place in the host. */
const diskDirectories = ['etc-holdfast', 'var-lib-holdfast', 'srv', 'logs'] as const

export class Host {
  readonly name: string
  readonly cables: readonly Cable[]
  readonly #spec: LabSpec
  readonly #network: Network
  readonly #freezer: Freezer
  #watchdog: Watchdog | undefined
  #resets = 0
  /** Power and freezing are one at a time: who is killed while somebody freezes the host does not die. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(spec: LabSpec, network: Network, name: string) {
    this.name = name
    this.cables = cablesOf(spec, name)
    this.#spec = spec
    this.#network = network
    this.#freezer = new Freezer(this.namespace)
  }

  get namespace(): string {
    return hostNamespace(this.#spec.id, this.name)
  }

  /** The host's directory on this machine. */
  get directory(): string {
    return hostDirectory(this.#spec.id, this.name)
  }

  /** What survives a power cycle: `etc-holdfast`, `var-lib-holdfast`, `srv`, `logs`. */
  get disk(): string {
    return join(this.directory, 'disk')
  }

  /** Where output of lasting processes goes, seen from this machine. */
  logFile(name: string): string {
    return join(this.disk, 'logs', `${name}.log`)
  }

  /** A path inside the running host, as this machine can open it. */
  async inside(path: string): Promise<string> {
    return insideOf(await this.#mustBeOn(), path)
  }

  /** Like `inside`; undefined when the host is off. */
  async insideWhenOn(path: string): Promise<string | undefined> {
    const init = await this.#initPid()
    return init === undefined ? undefined : insideOf(init, path)
  }

  /** The watchdog runs: the power is cut unless the host feeds it. */
  get isGuarded(): boolean {
    return this.#watchdog?.isArmed ?? false
  }

  /** How often the watchdog has cut the power. Who wants the host back switches it on. */
  get resets(): number {
    return this.#resets
  }

  /** Starts the host on its disks with a fresh `/run`, `/tmp` and boot id, its cables plugged in. */
  powerOn(): Promise<void> {
    return this.#oneAtATime(() => this.#powerOn())
  }

  async #powerOn(): Promise<void> {
    if ((await this.#initPid()) !== undefined) throw new LabError(`${this.name} is on already`)
    for (const name of diskDirectories)
      await mkdir(join(this.disk, name), { recursive: true, mode: 0o755 })
    await mkdir(join(this.directory, 'keep'), { recursive: true })
    for (const place of ['/etc/holdfast', '/var/lib/holdfast', '/srv'])
      await mkdir(place, { recursive: true })
    await this.#freezer.make()
    await this.#freezer.thaw()
    await this.#network.attach(this.name)
    const script = [join(scriptsDirectory, 'init.sh'), this.directory, this.name, ...this.#kept()]
    const namespaces = ['--mount', '--uts', '--ipc', '--pid', '--fork', '--kill-child']
    const [command, ...args] = this.#asMember([
      'nsenter',
      `--net=/run/netns/${this.namespace}`,
      'unshare',
      ...namespaces,
      '--propagation',
      'private',
      'sh',
      ...script,
    ])
    const child = startDetached(command ?? '', args, { logFile: this.logFile('init') })
    const init = await until(
      `${this.name} starts (see ${this.logFile('init')})`,
      async () => {
        if (child.exitCode !== null) {
          const said = await readFile(this.logFile('init'), 'utf8')
          throw new LabError(`${this.name} did not start: ${said.trim()}`)
        }
        return this.#initPid()
      },
      { timeoutMs: 60_000, everyMs: 5 },
    )
    await this.#installWatchdog(init)
  }

  /** Nodes have one, clients none. It lives as long as the power is on and as this process runs. */
  async #installWatchdog(init: number): Promise<void> {
    const { watchdogSeconds, nodes } = this.#spec
    if (watchdogSeconds === undefined || !nodes.includes(this.name)) return
    const file = insideOf(init, watchdogDevice)
    this.#watchdog = await Watchdog.install(file, watchdogSeconds * 1_000, () => {
      // Nobody waits for it, as for the hardware: a failure ends this process.
      void this.#reset()
    })
  }

  async #reset(): Promise<void> {
    const expired = this.#watchdog
    await this.#oneAtATime(async () => {
      // Somebody else cut the power meanwhile.
      if (this.#watchdog !== expired) return
      await this.#powerOff()
      this.#resets += 1
    })
  }

  /**
   * No goodbye: the cables are dead first (a killed namespace would still answer RST), then every process.
   * Returns the instant of the cut on the monotonic clock.
   */
  powerOff(): Promise<number> {
    return this.#oneAtATime(() => this.#powerOff())
  }

  async #powerOff(): Promise<number> {
    const init = await this.#mustBeOn()
    const cutMs = monotonicMs()
    await this.#network.cut({ host: this.name })
    signal(init, 'SIGKILL')
    await this.#end()
    await this.#network.detach(this.name)
    await rm(join(this.directory, 'init.pid'), { force: true })
    return cutMs
  }

  async isOn(): Promise<boolean> {
    return (await this.#initPid()) !== undefined
  }

  /** The whole machine stands still, its cables stay plugged in. */
  freeze(): Promise<void> {
    return this.#oneAtATime(async () => {
      await this.#mustBeOn()
      await this.#freezer.freeze()
    })
  }

  thaw(): Promise<void> {
    return this.#oneAtATime(() => this.#freezer.thaw())
  }

  /** Runs a command in the host to its end. */
  async run(command: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    const { env, ...rest } = options
    const [program, ...args] = await this.#entering(command, env)
    return runCommand(program ?? '', args, rest)
  }

  /** Like `run`, but anything else than exit code 0 throws. */
  async mustRun(command: readonly string[], options: CommandOptions = {}): Promise<string> {
    const { env, ...rest } = options
    const [program, ...args] = await this.#entering(command, env)
    return mustRun(program ?? '', args, rest)
  }

  /** The command line that runs a command in the host, for whoever wants to start it himself. */
  commandLine(command: readonly string[]): Promise<readonly string[]> {
    return this.#entering(command)
  }

  /** Starts a lasting process in a session of its own; it ends with the host. */
  async start(
    command: readonly string[],
    options: { readonly log: string; readonly env?: Readonly<Record<string, string>> },
  ): Promise<ChildProcess> {
    const [program, ...args] = await this.#entering(command, options.env)
    return startDetached(program ?? '', args, { logFile: this.logFile(options.log) })
  }

  /** Processes of the host whose command line (arguments with spaces between them) matches; ids as this machine sees them. */
  async processes(commandLine: RegExp): Promise<readonly number[]> {
    return processesLike(await this.#processes(), commandLine)
  }

  /**
   * The group knows its members. Without a group every process of this machine is looked at, which waits for ever when one of
   * somebody else's hangs in the middle of an exec.
   */
  async #processes(): Promise<readonly number[]> {
    return (await this.#freezer.members()) ?? processesIn(this.namespace)
  }

  /** Ends everything of the host and frees what is outside of its directory. Safe to repeat. */
  remove(): Promise<void> {
    return this.#oneAtATime(async () => {
      await this.#end()
      await this.#network.detach(this.name)
      await this.#freezer.remove()
    })
  }

  #oneAtATime<T>(act: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(act, act)
    this.#turn = mine
    return mine
  }

  async #end(): Promise<void> {
    this.#watchdog?.remove()
    this.#watchdog = undefined
    // A killed process that is frozen dies only when it thaws, and one that thaws first could still do something.
    for (const pid of await this.#processes()) signal(pid, 'SIGKILL')
    await this.#freezer.thaw()
    await killAll(this.name, () => this.#processes())
  }

  /**
   * The environment is set inside: whoever enters the host is still on this machine, and a library that is preloaded into him
   * would leave its files here.
   */
  async #entering(
    command: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<readonly string[]> {
    const init = await this.#mustBeOn()
    const spaces = ['-t', String(init), '-m', '-u', '-i', '-n', '-p']
    const settings = Object.entries(env).map(([name, value]) => `${name}=${value}`)
    const inside = settings.length === 0 ? command : ['env', ...settings, ...command]
    return this.#asMember(['nsenter', ...spaces, '--wd=/', '--', ...inside])
  }

  /** The command joins the freezer group first, so that nothing of the host escapes a freeze. */
  #asMember(command: readonly string[]): readonly string[] {
    const members = this.#freezer.membersFile
    if (members === undefined) return command
    return ['sh', '-c', 'echo $$ >"$0" && exec "$@"', members, ...command]
  }

  /** What the host must see although it lies in a place that the host covers. */
  #kept(): readonly string[] {
    const wanted = [repositoryDirectory.replace(/\/$/, ''), dirname(process.execPath)]
    return wanted.filter((path) =>
      coveredPlaces.some((place) => path === place || path.startsWith(`${place}/`)),
    )
  }

  async #mustBeOn(): Promise<number> {
    const pid = await this.#initPid()
    if (pid === undefined) throw new LabError(`${this.name} is off`)
    return pid
  }

  async #initPid(): Promise<number | undefined> {
    const file = join(this.directory, 'init.pid')
    let text: string
    try {
      text = await readFile(file, 'utf8')
    } catch (error) {
      // Whatever node:fs throws is an ErrnoException.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
    const pid = Number(text.trim())
    return Number.isInteger(pid) && isRunning(pid) ? pid : undefined
  }
}

function insideOf(init: number, path: string): string {
  return join('/proc', String(init), 'root', path)
}
