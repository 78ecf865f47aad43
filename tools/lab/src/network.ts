/** The cables and switches of a lab: bridges in a network namespace of their own, and the faults that happen to them. */
import { existsSync } from 'node:fs'
import { LabError, mustRun, runCommand } from './command.js'
import {
  bridgeName,
  type Cable,
  cablesOf,
  hostNamespace,
  lanIndex,
  type LabSpec,
  switchNamespace,
} from './spec.js'

/** `lans` undefined: all that the host is on. */
export interface CableChoice {
  readonly host: string
  readonly lan?: string
}

/** Frames from one host to another that are lost in the switch; `percent` 100 is a one-way cut. */
export interface Loss {
  readonly from: string
  readonly to: string
  readonly lan: string
  readonly percent: number
}

export class Network {
  readonly #spec: LabSpec
  readonly #losses: Loss[] = []

  constructor(spec: LabSpec) {
    this.#spec = spec
  }

  /** Makes the switches. */
  async build(): Promise<void> {
    await mustRun('ip', ['netns', 'add', switchNamespace(this.#spec.id)])
    await this.#switchBatch([
      'link set lo up',
      ...this.#spec.lans.flatMap((lan) => {
        const bridge = bridgeName(this.#spec, lan)
        return [
          `link add ${bridge} type bridge stp_state 0 mcast_snooping 0 forward_delay 0`,
          `link set ${bridge} up`,
        ]
      }),
    ])
  }

  /** Gives a host its network cards, with their own addresses only: whatever it had before is gone. */
  async attach(host: string): Promise<void> {
    const cables = cablesOf(this.#spec, host)
    const namespace = hostNamespace(this.#spec.id, host)
    await this.detach(host)
    await mustRun('ip', ['netns', 'add', namespace])
    await this.#switchBatch(cables.flatMap((cable) => this.#plug(cable)))
    const commands = cables.flatMap((cable) => [
      `addr add ${cable.ipv4}/24 dev ${cable.interface}`,
      `addr add ${cable.ipv6}/64 dev ${cable.interface} nodad`,
      `link set ${cable.interface} up`,
    ])
    const input = ['link set lo up', ...commands].join('\n')
    await mustRun('ip', ['-n', namespace, '-batch', '-'], { input })
  }

  /** Takes the network cards of a host away, with everything that was configured on them. */
  async detach(host: string): Promise<void> {
    const namespace = hostNamespace(this.#spec.id, host)
    if (!existsSync(`/run/netns/${namespace}`)) return
    // The kernel empties a deleted namespace some time later: the cables are removed from the switch's end, at once.
    for (const cable of cablesOf(this.#spec, host)) {
      await runCommand('ip', ['-n', switchNamespace(this.#spec.id), 'link', 'del', cable.port])
    }
    await deleteNamespace(namespace)
  }

  /** Unplugs: both ends see no carrier. */
  async cut(choice: CableChoice): Promise<void> {
    await this.#switchBatch(this.#chosen(choice).map((cable) => `link set ${cable.port} down`))
  }

  async heal(choice: CableChoice): Promise<void> {
    await this.#switchBatch(this.#chosen(choice).map((cable) => `link set ${cable.port} up`))
  }

  /** Frames between two hosts get lost in one direction; replaces what was set for this pair. Several begin at the same instant. */
  async lose(...losses: readonly Loss[]): Promise<void> {
    for (const loss of losses) {
      lanIndex(this.#spec, loss.lan)
      const other = this.#losses.filter(
        (old) => old.from !== loss.from || old.to !== loss.to || old.lan !== loss.lan,
      )
      this.#losses.splice(0, this.#losses.length, ...other)
      if (loss.percent > 0) this.#losses.push(loss)
    }
    await this.#applyLosses()
  }

  /** Ends every loss that was set with `lose`. Cut cables stay cut. */
  async endLosses(): Promise<void> {
    this.#losses.length = 0
    await this.#applyLosses()
  }

  /** Limits what a host receives, in Mbit/s; undefined takes the limit away. */
  async limit(choice: CableChoice, mbitPerSecond: number | undefined): Promise<void> {
    for (const cable of this.#chosen(choice)) {
      const tc = ['-n', switchNamespace(this.#spec.id), 'qdisc']
      if (mbitPerSecond === undefined) {
        await runCommand('tc', [...tc, 'del', 'dev', cable.port, 'root'])
      } else {
        const rate = `${mbitPerSecond}mbit`
        const bucket = ['tbf', 'rate', rate, 'burst', '256kb', 'latency', '50ms']
        await mustRun('tc', [...tc, 'replace', 'dev', cable.port, 'root', ...bucket])
      }
    }
  }

  #chosen(choice: CableChoice): readonly Cable[] {
    const cables = cablesOf(this.#spec, choice.host)
    if (choice.lan === undefined) return cables
    lanIndex(this.#spec, choice.lan)
    return cables.filter((cable) => cable.lan === choice.lan)
  }

  #plug(cable: Cable): readonly string[] {
    const host = hostNamespace(this.#spec.id, cable.host)
    return [
      `link add ${cable.port} type veth peer name ${cable.interface} address ${cable.mac} netns ${host}`,
      `link set ${cable.port} master ${bridgeName(this.#spec, cable.lan)}`,
      `link set ${cable.port} up`,
    ]
  }

  async #switchBatch(commands: readonly string[]): Promise<void> {
    const args = ['-n', switchNamespace(this.#spec.id), '-batch', '-']
    await mustRun('ip', args, { input: commands.join('\n') })
  }

  async #applyLosses(): Promise<void> {
    const rules = this.#losses.map((loss) => {
      const from = this.#port(loss.from, loss.lan)
      const to = this.#port(loss.to, loss.lan)
      const dice = loss.percent >= 100 ? '' : `numgen random mod 100 < ${loss.percent} `
      return `  iifname "${from}" oifname "${to}" ${dice}drop`
    })
    const input = [
      'table bridge lab',
      'delete table bridge lab',
      'table bridge lab {',
      ' chain forward {',
      '  type filter hook forward priority 0; policy accept;',
      ...rules,
      ' }',
      '}',
      '',
    ].join('\n')
    const namespace = `--net=/run/netns/${switchNamespace(this.#spec.id)}`
    await mustRun('nsenter', [namespace, 'nft', '-f', '-'], { input })
  }

  #port(host: string, lan: string): string {
    const cable = cablesOf(this.#spec, host).find((candidate) => candidate.lan === lan)
    if (cable === undefined) throw new LabError(`${host} is not on the LAN ${lan}`)
    return cable.port
  }
}

/** Safe when it is gone already, or goes away meanwhile: two processes may clean up after the same dead owner. */
export async function deleteNamespace(name: string): Promise<void> {
  const file = `/run/netns/${name}`
  if (!existsSync(file)) return
  const { code, stderr } = await runCommand('ip', ['netns', 'del', name])
  if (code !== 0 && existsSync(file)) throw new LabError(`ip netns del ${name}: ${stderr.trim()}`)
}
