/**
 * Addresses of cluster.xml as the sockets need them. A DNS name is resolved at the first use and again every minute;
 * while the name server does not answer, the last answer stays: a failover must not depend on DNS.
 */
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { codeOf } from '../files/atomic.js'

const refreshMs = 60_000
const retryMs = 1_000
const namesMax = 256

interface Entry {
  address: string | undefined
  askAtMs: number
}

export class AddressBook {
  private readonly entries = new Map<string, Entry>()

  constructor(private readonly monotonicMs: () => number) {}

  /** The address now known; undefined: not resolved yet, ask again later. Never waits. */
  resolved(host: string): string | undefined {
    if (isIP(host) !== 0) return host
    const nowMs = this.monotonicMs()
    const entry = this.entries.get(host) ?? { address: undefined, askAtMs: nowMs }
    if (nowMs >= entry.askAtMs && (this.entries.has(host) || this.entries.size < namesMax)) {
      entry.askAtMs = nowMs + retryMs
      this.entries.set(host, entry)
      void this.ask(host, entry)
    }
    return entry.address
  }

  private async ask(host: string, entry: Entry): Promise<void> {
    try {
      entry.address = (await lookup(host)).address
      entry.askAtMs = this.monotonicMs() + refreshMs
    } catch (thrown) {
      if (codeOf(thrown) === undefined) throw thrown
    }
  }
}
