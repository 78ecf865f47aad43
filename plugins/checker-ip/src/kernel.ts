/** What the kernel says about an address: where this node has it, and who else answers for it on the network. */
import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import {
  type Clock,
  type Exec,
  HoldfastError,
  interfacesOf,
  type KernelInterface,
  neighboursOf,
  type RunOptions,
  type RunResult,
} from '@holdfast/sdk'
import { claimsIn, noteClaims, tableOf } from './claims.js'

const commandTimeoutMs = 3_000
/** There are other programs of the name nft, which exit with 0: only that of the system is meant. */
const systemPath = '/usr/sbin:/usr/bin:/sbin:/bin'
/** Machines on the same network answer within a few milliseconds. */
const answersAfterMs = 100

export interface Held {
  readonly interfaceName: string
  /** IPv6: the kernel itself found that somebody else has it. */
  readonly refused: boolean
}

export interface Answers {
  readonly macs: readonly string[]
  /** Why the network could not be asked; undefined: it was. */
  readonly unasked: string | undefined
}

interface Place {
  readonly address: string
  readonly dev: string
}

export class Kernel {
  constructor(private readonly parts: { readonly clock: Clock; readonly exec: Exec }) {}

  /** Undefined: no interface of this node has it. */
  async held(address: string, signal: AbortSignal): Promise<Held | undefined> {
    const shown = isIP(address) === 4 ? shownOn(address) : undefined
    if (shown !== undefined) return { interfaceName: shown, refused: false }
    const wanted = numberOf(address)
    for (const { name, addresses } of await this.interfaces(signal)) {
      const info = addresses.find(({ address: own }) => numberOf(own) === wanted)
      if (info !== undefined) return { interfaceName: name, refused: info.refused }
    }
    return undefined
  }

  /** Who else answers for our own address, by hardware address. The kernel asks for it as for any neighbour. */
  async strangers(address: string, held: Held, signal: AbortSignal): Promise<Answers> {
    const place = { address, dev: held.interfaceName }
    const answers =
      isIP(address) === 4
        ? await this.askForIPv4(place, signal)
        : await this.askForIPv6(place, signal)
    if (answers.macs.length === 0) return answers
    // Another interface of this node on the same network answers as well.
    const own = (await this.interfaces(signal)).map(({ mac }) => mac)
    return { ...answers, macs: answers.macs.filter((mac) => !own.includes(mac)) }
  }

  private async askForIPv4(place: Place, signal: AbortSignal): Promise<Answers> {
    await this.solicit(place, signal)
    const at = `${place.address} dev ${place.dev}`
    // Without the signal: whoever asked leaves no trace. One program for both, for each costs milliseconds.
    const said = await this.batch([`neighbour show to ${at} nud reachable`, `neighbour del ${at}`])
    // Somebody else may have removed the entry meanwhile: then it was shown all the same.
    const shown = said.stdout === '' ? mustSucceed(said, 'ip neighbour show') : said.stdout
    return { macs: neighboursOf(shown).map(({ mac }) => mac), unasked: undefined }
  }

  /** The neighbour table does not take answers for an own IPv6 address: nftables sees them before they are dropped. */
  private async askForIPv6(place: Place, signal: AbortSignal): Promise<Answers> {
    const { address, dev } = place
    const noted = await this.nft(['-f', '-'], { signal, input: noteClaims(address, dev) })
    if (noted.failure !== undefined) return { macs: [], unasked: noted.failure }
    const table = ['ip6', tableOf(address)]
    try {
      await this.solicit(place, signal)
      await this.forget(place)
      const { text, failure } = await this.nft(['list', 'set', ...table, 'claims'], { signal })
      return { macs: claimsIn(text), unasked: failure }
    } finally {
      await this.nft(['delete', 'table', ...table])
    }
  }

  /** Whoever calls this removes the entry when it returns; when it rejects there is none. */
  private async solicit(place: Place, signal: AbortSignal): Promise<void> {
    const entry = `neighbour replace ${place.address} dev ${place.dev}`
    try {
      // An entry from earlier times would look like an answer: it is made one that failed, whether it was there or not.
      const said = await this.batch([`${entry} nud failed`, `${entry} use`], { signal })
      mustSucceed(said, `ip ${entry}`)
    } catch (thrown) {
      await this.forget(place)
      throw thrown
    }
    await this.pause(answersAfterMs)
  }

  private async forget({ address, dev }: Place): Promise<void> {
    await this.run('ip', ['neighbour', 'del', address, 'dev', dev])
  }

  private async interfaces(signal: AbortSignal): Promise<readonly KernelInterface[]> {
    return interfacesOf(
      mustSucceed(await this.run('ip', ['-j', 'address'], { signal }), 'ip -j address'),
    )
  }

  private pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.parts.clock.after(delayMs, resolve)
    })
  }

  /** It ends at the first line that fails. */
  private batch(lines: readonly string[], options: Partial<RunOptions> = {}): Promise<RunResult> {
    return this.run('ip', ['-j', '-batch', '-'], { ...options, input: `${lines.join('\n')}\n` })
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

function mustSucceed({ code, stdout, stderr, timedOut }: RunResult, what: string): string {
  if (code === 0) return stdout
  const why = timedOut ? 'it does not answer' : stderr.trim().slice(0, 200)
  throw new HoldfastError('E_CHECKER_IP_COMMAND', `${what}: ${why}`)
}

/**
 * By a system call and no program, which costs some milliseconds of processor time every few seconds. Undefined: it is not
 * there, or on an interface without a carrier, of which this call says nothing.
 */
function shownOn(address: string): string | undefined {
  const shown = Object.entries(networkInterfaces()).find(([, addresses = []]) =>
    addresses.some(({ address: own }) => own === address),
  )
  // A label of the address stands behind the name of the interface.
  return shown?.[0].split(':')[0]
}

/** One spelling for each address: `FD00::0:1` and `fd00::1` are the same. */
function numberOf(address: string): string {
  return isIP(address) === 6 ? new URL(`http://[${address}]`).hostname : address
}
