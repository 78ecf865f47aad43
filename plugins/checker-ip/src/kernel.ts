/** What the kernel says about an address: where this node has it, and who else answers for it on the network. */
import { isIP } from 'node:net'
import {
  type Clock,
  type Exec,
  HoldfastError,
  interfacesOf,
  neighboursOf,
  type RunOptions,
} from '@holdfast/sdk'
import { claimsIn, noteClaims, tableOf } from './claims.js'

const commandTimeoutMs = 3_000
/** There are other programs of the name nft, which exit with 0: only that of the system is meant. */
const systemPath = '/usr/sbin:/usr/bin:/sbin:/bin'
/** Machines on the same network answer within a few milliseconds. */
const answersAfterMs = 100

export interface Held {
  readonly interfaceName: string
  readonly macs: readonly string[]
  /** IPv6: the kernel itself found that somebody else has it. */
  readonly refused: boolean
}

export interface Answers {
  readonly macs: readonly string[]
  /** Why the network could not be asked; undefined: it was. */
  readonly unasked: string | undefined
}

export class Kernel {
  constructor(private readonly parts: { readonly clock: Clock; readonly exec: Exec }) {}

  /** Undefined: no interface of this node has it. */
  async held(address: string, signal: AbortSignal): Promise<Held | undefined> {
    const links = interfacesOf(await this.ip(['-j', 'address'], signal))
    const macs = links.map(({ mac }) => mac)
    const wanted = numberOf(address)
    for (const { name, addresses } of links) {
      const info = addresses.find(({ address: own }) => numberOf(own) === wanted)
      if (info !== undefined) return { interfaceName: name, macs, refused: info.refused }
    }
    return undefined
  }

  /** Who else answers for our own address, by hardware address. The kernel asks for it as for any neighbour. */
  async strangers(address: string, held: Held, signal: AbortSignal): Promise<Answers> {
    const place = [address, 'dev', held.interfaceName]
    const ask = isIP(address) === 4 ? this.askForIPv4.bind(this) : this.askForIPv6.bind(this)
    // An entry from earlier times would look like an answer.
    await this.run('ip', ['neighbour', 'del', ...place], { signal })
    try {
      const answers = await ask(address, held.interfaceName, signal)
      return { ...answers, macs: answers.macs.filter((mac) => !held.macs.includes(mac)) }
    } finally {
      await this.run('ip', ['neighbour', 'del', ...place])
    }
  }

  private async askForIPv4(address: string, dev: string, signal: AbortSignal): Promise<Answers> {
    await this.solicit(address, dev, signal)
    const show = ['-j', 'neighbour', 'show', 'to', address, 'dev', dev, 'nud', 'reachable']
    const answers = neighboursOf(await this.ip(show, signal))
    return { macs: answers.map(({ mac }) => mac), unasked: undefined }
  }

  /** The neighbour table does not take answers for an own IPv6 address: nftables sees them before they are dropped. */
  private async askForIPv6(address: string, dev: string, signal: AbortSignal): Promise<Answers> {
    const noted = await this.nft(['-f', '-'], { signal, input: noteClaims(address, dev) })
    if (noted.failure !== undefined) return { macs: [], unasked: noted.failure }
    const table = ['ip6', tableOf(address)]
    try {
      await this.solicit(address, dev, signal)
      const { text, failure } = await this.nft(['list', 'set', ...table, 'claims'], { signal })
      return { macs: claimsIn(text), unasked: failure }
    } finally {
      await this.nft(['delete', 'table', ...table])
    }
  }

  private async solicit(address: string, dev: string, signal: AbortSignal): Promise<void> {
    await this.ip(['neighbour', 'replace', address, 'dev', dev, 'use'], signal)
    await this.pause(answersAfterMs)
  }

  private pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.parts.clock.after(delayMs, resolve)
    })
  }

  private async ip(args: readonly string[], signal: AbortSignal): Promise<string> {
    const { code, stdout, stderr, timedOut } = await this.run('ip', args, { signal })
    if (code === 0) return stdout
    const why = timedOut ? 'it does not answer' : stderr.trim().slice(0, 200)
    throw new HoldfastError('E_CHECKER_IP_COMMAND', `ip ${args.join(' ')}: ${why}`)
  }

  /** A node without nftables still has the other half of this checker, so its absence is told and is no failure. */
  private async nft(
    args: readonly string[],
    options: Partial<RunOptions> = {},
  ): Promise<{ readonly text: string; readonly failure: string | undefined }> {
    try {
      const { code, stdout, stderr } = await this.run('nft', args, {
        env: { PATH: systemPath },
        ...options,
      })
      const said = stderr.trim().split('\n')[0] ?? ''
      return { text: stdout, failure: code === 0 ? undefined : `nft: ${said.slice(0, 200)}` }
    } catch (thrown) {
      if (!(thrown instanceof HoldfastError)) throw thrown
      return { text: '', failure: thrown.message }
    }
  }

  private run(command: 'ip' | 'nft', args: readonly string[], options: Partial<RunOptions> = {}) {
    return this.parts.exec.run(command, args, { timeoutMs: commandTimeoutMs, ...options })
  }
}

/** One spelling for each address: `FD00::0:1` and `fd00::1` are the same. */
function numberOf(address: string): string {
  return isIP(address) === 6 ? new URL(`http://[${address}]`).hostname : address
}
