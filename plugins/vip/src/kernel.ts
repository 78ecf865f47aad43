/** The orders to the kernel, through `ip` and `ss`: addresses, announcements, questions about neighbours. */
import { networkInterfaces } from 'node:os'
import { type Exec, HoldfastError, type RunResult } from '@holdfast/sdk'

import { type Address, parseAddress } from './address.js'
import { type Answer, type InterfaceFact, type PlacedAddress, sameAddress } from './decide.js'
import { parseInterfaces, parseNeighbours } from './parse.js'

/** Longest time one command may take; a healthy kernel answers in milliseconds. */
const commandTimeoutMs = 3_000

export class VipKernel {
  constructor(private readonly exec: Exec) {}

  async interfaces(signal?: AbortSignal): Promise<InterfaceFact[]> {
    return parseInterfaces(await this.ip(['-j', 'address'], signal))
  }

  /**
   * All of these are on their interfaces, which are up. A system call and no program: this is asked every few seconds for as
   * long as the node serves, and a program costs some milliseconds of processor time.
   */
  shows(addresses: readonly PlacedAddress[]): boolean {
    const facts = networkInterfaces()
    return addresses.every(({ address, interfaceName }) =>
      (facts[interfaceName] ?? []).some((fact) => {
        const own = parseAddress(fact.address)
        return own !== undefined && sameAddress(own, address)
      }),
    )
  }

  async add(addresses: readonly PlacedAddress[], signal: AbortSignal): Promise<void> {
    // No kernel duplicate detection: it takes a second, and the question was asked before. An IPv6
    // address without a preferred life is never chosen as the source of the node's own connections.
    const lines = addresses.map(
      (one) =>
        `address add ${cidr(one)} dev ${one.interfaceName}` +
        (one.address.family === 6 ? ' nodad preferred_lft 0' : ''),
    )
    await this.batch(lines, signal)
  }

  async remove(addresses: readonly PlacedAddress[], signal?: AbortSignal): Promise<void> {
    const lines = addresses.map((one) => `address del ${cidr(one)} dev ${one.interfaceName}`)
    await this.batch(lines, signal)
  }

  /**
   * The kernel sends a gratuitous ARP and an unsolicited neighbour advertisement for every address of
   * an interface whose hardware address is set, also when it is set to the value that it has.
   */
  async announce(interfaceName: string, signal?: AbortSignal): Promise<void> {
    await this.setSysctl(`ipv4/conf/${interfaceName}/arp_notify`, '1', signal)
    await this.setSysctl(`ipv6/conf/${interfaceName}/ndisc_notify`, '1', signal)
    const mac = (await this.interfaces(signal)).find((one) => one.name === interfaceName)?.mac
    if (mac === undefined) {
      throw new HoldfastError('E_VIP_INTERFACE', `the interface ${interfaceName} is gone`)
    }
    // Setting it also empties the neighbour table; what an administrator made permanent is put back.
    const permanent = parseNeighbours(
      await this.ip(['-j', 'neighbour', 'show', 'nud', 'permanent'], signal),
    ).filter((one) => one.interfaceName === interfaceName)
    await this.batch(
      [
        `link set dev ${interfaceName} address ${mac}`,
        ...permanent.map(
          (one) =>
            `neighbour replace ${one.address.text} lladdr ${one.mac} dev ${interfaceName} nud permanent`,
        ),
      ],
      signal,
    )
  }

  /** Makes the kernel ask the network for the owners of these addresses; does not wait for answers. */
  async ask(addresses: readonly PlacedAddress[], signal: AbortSignal): Promise<void> {
    // The content of an entry from earlier times would look like an answer: whether there is one or not, it is one without first.
    const lines = addresses.flatMap((one) => [emptied(one), `${entryOf(one)} use`])
    await this.batch(lines, signal)
  }

  /** Who answered since `ask`. */
  async answers(addresses: readonly PlacedAddress[], signal: AbortSignal): Promise<Answer[]> {
    const known = parseNeighbours(
      await this.ip(['-j', 'neighbour', 'show', 'nud', 'reachable'], signal),
    )
    return known.filter((answer) =>
      addresses.some(
        (one) =>
          one.interfaceName === answer.interfaceName &&
          one.address.family === answer.address.family &&
          one.address.value === answer.address.value,
      ),
    )
  }

  /** Removes the traces of `ask`, whether they are there or not. */
  async forget(addresses: readonly PlacedAddress[]): Promise<void> {
    // -force goes on where an interface is gone. An entry that is not there would end it all the same: so each one is made first.
    const lines = addresses.flatMap((one) => [
      emptied(one),
      `neighbour del ${one.address.text} dev ${one.interfaceName}`,
    ])
    await this.run('ip', ['-force', '-batch', '-'], undefined, lines)
  }

  /** Resets the connections of an address. Returns how many were ended and how many are left. */
  async resetConnections(
    address: Address,
    signal?: AbortSignal,
  ): Promise<{ readonly ended: number; readonly left: number }> {
    const before = await this.connections([], address, signal)
    if (before === 0) return { ended: 0, left: 0 }
    await this.connections(['-K'], address, signal)
    const left = await this.connections([], address, signal)
    return { ended: Math.max(0, before - left), left }
  }

  private async connections(
    flags: readonly string[],
    address: Address,
    signal?: AbortSignal,
  ): Promise<number> {
    const source = address.family === 6 ? [`[${address.text}]`] : [address.text]
    const result = await this.run(
      'ss',
      [...flags, '-H', '-n', '-t', 'state', 'connected', 'exclude', 'time-wait', 'src', ...source],
      signal,
    )
    return ok('ss', result)
      .split('\n')
      .filter((line) => line.trim() !== '').length
  }

  private async setSysctl(name: string, value: string, signal?: AbortSignal): Promise<void> {
    // A missing file (IPv6 switched off) is no failure: then there is nothing to announce either.
    await this.run('tee', [`/proc/sys/net/${name}`], signal, [value])
  }

  private async ip(args: readonly string[], signal?: AbortSignal): Promise<string> {
    return ok(`ip ${args.join(' ')}`, await this.run('ip', args, signal))
  }

  private async batch(lines: readonly string[], signal?: AbortSignal): Promise<void> {
    if (lines.length === 0) return
    ok(`ip: ${lines.join('; ')}`, await this.run('ip', ['-batch', '-'], signal, lines))
  }

  private async run(
    command: string,
    args: readonly string[],
    signal: AbortSignal | undefined,
    lines?: readonly string[],
  ): Promise<RunResult> {
    const givenUp = new HoldfastError('E_VIP_ABORTED', `"${command}" was given up`)
    if (isAborted(signal)) throw givenUp
    const result = await this.exec.run(command, args, {
      timeoutMs: commandTimeoutMs,
      ...(lines === undefined ? {} : { input: `${lines.join('\n')}\n` }),
      ...(signal === undefined ? {} : { signal }),
    })
    if (isAborted(signal) && result.code === undefined) throw givenUp
    return result
  }
}

/** A function, because the compiler does not expect a property to change while a command runs. */
function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true
}

function ok(what: string, result: RunResult): string {
  if (result.code === 0) return result.stdout
  const why = result.timedOut ? 'it did not end in time' : result.stderr.trim()
  throw new HoldfastError('E_VIP_COMMAND', `"${what}" failed: ${why}`, {
    hint: 'run it by hand as root and see what the kernel says',
    fields: { exitCode: result.code, signal: result.signal },
  })
}

function entryOf({ address, interfaceName }: PlacedAddress): string {
  return `neighbour replace ${address.text} dev ${interfaceName}`
}

function emptied(one: PlacedAddress): string {
  return `${entryOf(one)} nud failed`
}

function cidr(one: PlacedAddress): string {
  return `${one.address.text}/${String(one.prefix)}`
}

/** For what comes from a state file or a message. */
export function addressOf(text: string): Address {
  const address = parseAddress(text)
  if (address === undefined) {
    throw new HoldfastError('E_VIP_STATE', `"${text}" in the plugin's state is not an address`)
  }
  return address
}
