/** For tests: several nodes in one process, each with its own directories and its own loopback address. */
import { randomInt } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock, Log } from '@holdfast/sdk'
import { directoriesFrom } from '../files/directories.js'
import { systemClock } from '../scheduling/clock.js'
import { ClusterService } from './service.js'

export interface LoggedLine {
  readonly node: string
  readonly event: string
  readonly fields: Readonly<Record<string, unknown>>
}

const deadlineMs = 60_000

/** Resolves as soon as `holds`; rejects when it does not within a minute. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const endMs = systemClock.monotonicMs() + deadlineMs
  while (!holds()) {
    if (systemClock.monotonicMs() > endMs) throw new Error(`not within 60 s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

export class Rig {
  readonly lines: LoggedLine[] = []
  /** Added to the wall clock of all nodes. */
  wallOffsetMs = 0
  readonly port = randomInt(20_000, 32_000)
  private readonly net = randomInt(1, 250)
  private readonly services = new Map<string, ClusterService>()
  private readonly roots = new Map<string, string>()

  /** `lan` 0 is the first one. */
  address(node: string, lan = 0): string {
    const number = Number(node.replace(/\D/g, ''))
    return `127.${String(this.net)}.${String(lan)}.${String(number)}`
  }

  xml(nodes: readonly string[], options: { lans?: number; pulse?: string } = {}): string {
    const lans = Array.from({ length: options.lans ?? 1 }, (_, lan) => {
      const entries = nodes.map(
        (node) => `<node name="${node}" addr="${this.address(node, lan)}"/>`,
      )
      return `<lan name="lan${String(lan)}">${entries.join('')}</lan>`
    })
    const pulse = options.pulse ?? '50ms'
    return `<cluster><lans port="${String(this.port)}" pulse="${pulse}">${lans.join('')}</lans></cluster>`
  }

  async root(node: string): Promise<string> {
    const root = this.roots.get(node) ?? (await mkdtemp(join(tmpdir(), `hf-cluster-${node}-`)))
    this.roots.set(node, root)
    return root
  }

  async start(node: string): Promise<ClusterService> {
    const directories = directoriesFrom({ HOLDFAST_ROOT: await this.root(node) })
    const service = await ClusterService.open({
      ...{ directories, clock: this.clock(), log: this.log(node), version: '0.1.0' },
    })
    this.services.set(node, service)
    return service
  }

  async stop(node: string): Promise<void> {
    await this.services.get(node)?.stop()
    this.services.delete(node)
  }

  /** A running cluster of these nodes, all connected with each other. */
  async cluster(
    nodes: readonly string[],
    options: { lans?: number; pulse?: string } = {},
  ): Promise<ClusterService[]> {
    const services: ClusterService[] = []
    for (const node of nodes) services.push(await this.start(node))
    const [first, ...rest] = services
    if (first === undefined) return []
    const [name = ''] = nodes
    await first.init({ xml: this.xml(nodes, options), node: name })
    for (const [index, service] of rest.entries()) {
      const { token } = await first.invite({ node: nodes[index + 1] ?? '', ttlMs: 60_000 })
      await service.join({ token })
    }
    await until('all nodes are connected', () =>
      services.every((service) =>
        service.view().nodes.every((node) => node.connected && node.lans.every((lan) => lan.up)),
      ),
    )
    return services
  }

  logged(event: string, node?: string): readonly LoggedLine[] {
    return this.lines.filter(
      (line) => line.event === event && (node === undefined || line.node === node),
    )
  }

  clock(): Clock {
    return { ...systemClock, wallMs: () => systemClock.wallMs() + this.wallOffsetMs }
  }

  log(node: string): Log {
    return {
      write: (_level, event, fields = {}) => {
        this.lines.push({ node, event, fields })
      },
    }
  }

  async remove(): Promise<void> {
    for (const node of [...this.services.keys()]) await this.stop(node)
    for (const root of this.roots.values()) await rm(root, { recursive: true, force: true })
  }
}
