/** What the kernel says about an address: where this node has it, and who else answers for it on the network. */
import { isIP } from 'node:net'
import { type Clock, type Exec, HoldfastError } from '@holdfast/sdk'

const commandTimeoutMs = 3_000
/** Machines on the same network answer within a few milliseconds. */
const answersAfterMs = 100

export interface Held {
  readonly interfaceName: string
  readonly macs: readonly string[]
  /** IPv6: the kernel itself found that somebody else has it. */
  readonly refused: boolean
}

export class Kernel {
  constructor(private readonly parts: { readonly clock: Clock; readonly exec: Exec }) {}

  /** Undefined: no interface of this node has it. */
  async held(address: string, signal: AbortSignal): Promise<Held | undefined> {
    const links = recordsOf(await this.ip(['-j', 'address'], signal))
    const macs = links.map(({ address: mac }) => mac).filter((mac) => typeof mac === 'string')
    const wanted = numberOf(address)
    for (const link of links) {
      const infos = Array.isArray(link['addr_info']) ? link['addr_info'].filter(isRecord) : []
      const info = infos.find(
        ({ local }) => typeof local === 'string' && numberOf(local) === wanted,
      )
      const name = link['ifname']
      if (info === undefined || typeof name !== 'string') continue
      return { interfaceName: name, macs, refused: info['dadfailed'] === true }
    }
    return undefined
  }

  /**
   * Who else answers for our own IPv4 address, by hardware address. The kernel asks for it as for any neighbour;
   * IPv6 answers for an own address are ignored by it, there its own duplicate detection must do.
   */
  async strangers(address: string, held: Held, signal: AbortSignal): Promise<readonly string[]> {
    if (isIP(address) !== 4) return []
    const place = [address, 'dev', held.interfaceName]
    // An entry from earlier times would look like an answer.
    await this.run(['neighbour', 'del', ...place], signal)
    try {
      await this.ip(['neighbour', 'replace', ...place, 'use'], signal)
      await this.pause(answersAfterMs)
      const show = ['-j', 'neighbour', 'show', 'to', ...place, 'nud', 'reachable']
      const answers = recordsOf(await this.ip(show, signal)).map(({ lladdr }) => lladdr)
      const macs = answers.filter((mac) => typeof mac === 'string')
      return macs.filter((mac) => !held.macs.includes(mac))
    } finally {
      await this.run(['neighbour', 'del', ...place])
    }
  }

  private pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.parts.clock.after(delayMs, resolve)
    })
  }

  private async ip(args: readonly string[], signal: AbortSignal): Promise<string> {
    const { code, stdout, stderr, timedOut } = await this.run(args, signal)
    if (code === 0) return stdout
    const why = timedOut ? 'it does not answer' : stderr.trim().slice(0, 200)
    throw new HoldfastError('E_CHECKER_IP_COMMAND', `ip ${args.join(' ')}: ${why}`)
  }

  private run(args: readonly string[], signal?: AbortSignal) {
    const options = { timeoutMs: commandTimeoutMs, ...(signal === undefined ? {} : { signal }) }
    return this.parts.exec.run('ip', args, options)
  }
}

/** One spelling for each address: `FD00::0:1` and `fd00::1` are the same. */
function numberOf(address: string): string {
  return isIP(address) === 6 ? new URL(`http://[${address}]`).hostname : address
}

function recordsOf(text: string): readonly Readonly<Record<string, unknown>>[] {
  const parsed: unknown = text.trim() === '' ? [] : parse(text)
  if (Array.isArray(parsed)) return parsed.filter(isRecord)
  throw new HoldfastError('E_CHECKER_IP_COMMAND', 'the answer of "ip -j" is not a list')
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown
    return undefined
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
