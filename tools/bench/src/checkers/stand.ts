/** Two real nodes and a client, and modules on them that are made ill on purpose. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Lab, LabError, type Pair, patienceMs, type Product, until } from '@holdfast/lab'
import { application, idle, makeCertificates } from './application.js'
import type { CheckerFault } from './fault.js'

/** What followed a fault, as the node's log and state tell it. */
export interface Followed {
  /** From just before the fault was made to the moment when the rule gave its order. */
  readonly tookMs: number
  readonly rule: string
  readonly action: string
  /** The cause that the state of the module shows. */
  readonly cause: string
}

interface Entry {
  readonly sequence: number
  readonly atMs: number
  readonly event: string
  readonly fields: Readonly<Record<string, unknown>>
}

const steadyMs = 1_500

export class Stand {
  readonly lab: Lab
  readonly n1: Product
  readonly n2: Product
  readonly #module: string
  /** Names of the modules that are installed already. */
  readonly #installed: Set<string>

  private constructor(
    pair: Pick<Stand, 'lab' | 'n1' | 'n2'>,
    module: string,
    installed = new Set<string>(),
  ) {
    this.#installed = installed
    this.lab = pair.lab
    this.n1 = pair.n1
    this.n2 = pair.n2
    this.#module = module
  }

  /** On a pair whose cluster is formed and has no module. */
  static async on(pair: Pick<Pair, 'lab' | 'n1' | 'n2'>, leader: string): Promise<Stand> {
    const stand = new Stand(pair, leader)
    await pair.n1.host.mustRun(['sh', '-c', makeCertificates])
    await stand.#install('', ['n1', 'n2'], idle)
    for (const node of [pair.n1, pair.n2]) {
      await node.mustRun(['start', '-m', leader, '--no-wait'])
      await node.waitForState(leader, ['UP Ready'], patienceMs)
    }
    return stand
  }

  /** The stand with the module of a fault, running and watched; afterwards the module is stopped. */
  async with<T>(fault: CheckerFault, run: (stand: Stand) => Promise<T>): Promise<T> {
    const stand = new Stand(this, fault.name, this.#installed)
    await fault.prepare?.(stand)
    const programs = { ...application, ...fault.programs }
    await stand.#install(fault.xml, fault.nodes ?? ['n1'], programs)
    await stand.start()
    try {
      await stand.becomes(fault.resource, 'up')
      return await run(stand)
    } finally {
      await stand.stop()
      await fault.end?.(stand)
    }
  }

  /** Makes the fault, waits for what follows, and heals it; afterwards the module runs as before. */
  async suffer(fault: CheckerFault): Promise<Followed> {
    await fault.harmless?.(this)
    const before = (await this.#log()).at(-1)?.sequence ?? 0
    const faultMs = Date.now()
    await fault.inject(this)
    const fired = await until(
      `a rule acts after "${fault.what}"`,
      async () => {
        const entries = await this.#log()
        return entries.find(({ sequence, event }) => sequence > before && event === 'ruleFired')
      },
      { timeoutMs: patienceMs },
    )
    const { rule, action } = fired.fields
    const cause = await this.#causeOf(String(rule))
    await fault.heal?.(this)
    await this.isUp()
    await this.becomes(fault.resource, 'up')
    return { tookMs: fired.atMs - faultMs, rule: String(rule), action: String(action), cause }
  }

  async isUp(): Promise<void> {
    await this.n1.waitForState(this.#module, ['UP Ready'], patienceMs)
  }

  /** Waits until a resource has a value. */
  async becomes(resource: string, value: string): Promise<void> {
    await until(
      `${resource} of ${this.#module} is ${value}`,
      async () => ((await this.#valueOf(resource)) === value ? true : undefined),
      { timeoutMs: patienceMs, everyMs: 100 },
    )
  }

  /** Throws when a resource has another value within a time in which it would have shown. */
  async remains(resource: string, value: string): Promise<void> {
    const endMs = Date.now() + steadyMs
    await until(
      `${resource} is ${value} all the time`,
      async () => {
        const now = await this.#valueOf(resource)
        if (now !== value) throw new LabError(`${resource} is ${String(now)} and not ${value}`)
        return Date.now() > endMs ? true : undefined
      },
      { timeoutMs: patienceMs, everyMs: 100 },
    )
  }

  async start(): Promise<void> {
    await this.n1.mustRun(['start', '-m', this.#module, '--no-wait'])
    await this.isUp()
  }

  async stop(): Promise<void> {
    await this.n1.mustRun(['stop', '-m', this.#module, '--no-wait'])
    await this.n1.waitForState(this.#module, ['STOP NotReady'], patienceMs)
  }

  async #install(
    xml: string,
    nodes: readonly string[],
    programs: Readonly<Record<string, string>>,
  ): Promise<void> {
    if (this.#installed.has(this.#module)) return
    this.#installed.add(this.#module)
    const directory = join(this.n1.host.directory, 'modules', this.#module)
    for (const part of ['conf', 'bin']) await mkdir(join(directory, part), { recursive: true })
    const service = `<safe><service mode="light" maxloop="100"><user/>${xml}</service></safe>\n`
    await writeFile(join(directory, 'conf', 'userconfig.xml'), service)
    for (const [name, text] of Object.entries(programs)) {
      await writeFile(join(directory, 'bin', name), text, { mode: 0o755 })
    }
    await this.n1.mustRun(['module', 'install', this.#module, directory])
    await this.n1.mustRun(['module', 'config', this.#module, '--nodes', nodes.join(',')])
  }

  async #causeOf(rule: string): Promise<string> {
    return await until(
      `the state of ${this.#module} shows the rule ${rule}`,
      async () => {
        const cause = (await this.n1.module(this.#module))?.state?.cause
        return cause?.startsWith(`rule ${rule}: `) === true ? cause : undefined
      },
      { timeoutMs: patienceMs },
    )
  }

  async #valueOf(resource: string): Promise<string | undefined> {
    const list = await this.n1.mustRun(['resource', 'list', '-m', this.#module])
    const line = list.split('\n').find((one) => one.startsWith(`${resource} = `))
    return line?.split(' ')[2]
  }

  async #log(): Promise<readonly Entry[]> {
    const path = `/modules/${this.#module}/log?limit=500&verbose=true`
    // The API validates its answers against its own schema.
    const answer = (await this.n1.tryGet(path)) as
      { readonly entries: readonly Entry[] } | undefined
    return answer?.entries ?? []
  }
}
