/** Can this node open its ports on its LANs? Asked before a configuration is accepted, so that nothing half works. */
import { createSocket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { createServer, isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { type Clock, messageOf } from '@holdfast/sdk'
import { codeOf } from '../files/atomic.js'
import { entryOf, type Lan } from './settings.js'

const probeTimeoutMs = 5_000
/** More would hide the one that is meant. */
const addressesShownMax = 8

/** One sentence for each port that cannot be opened. Those in `except` (`lan host port`) are open already, by us. */
export async function unavailablePorts(
  lans: readonly Lan[],
  node: string,
  options: { readonly clock: Clock; readonly except: ReadonlySet<string> },
): Promise<readonly string[]> {
  const causes: string[] = []
  for (const lan of lans) {
    const own = entryOf(lan, node)
    if (own === undefined || options.except.has(portKey(lan, node) ?? '')) continue
    const host = own.laddr ?? own.addr
    const cause = await unavailable(host, lan.port, options.clock)
    if (cause !== undefined) causes.push(`LAN ${lan.name}: ${cause}`)
  }
  return causes
}

/** Names the port that `node` opens on `lan`. */
export function portKey(lan: Lan, node: string): string | undefined {
  const own = entryOf(lan, node)
  return own === undefined ? undefined : `${own.laddr ?? own.addr} ${String(lan.port)}`
}

async function unavailable(host: string, port: number, clock: Clock): Promise<string | undefined> {
  try {
    const { address } = await lookup(host)
    await bound((done) => {
      const server = createServer()
      server.once('error', done)
      server.listen({ host: address, port, exclusive: true }, () => server.close(done))
    }, clock)
    await bound((done) => {
      const socket = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4' })
      socket.once('error', done)
      socket.bind({ address, port, exclusive: true }, () => {
        socket.close(() => {
          done()
        })
      })
    }, clock)
    return undefined
  } catch (thrown) {
    return sentence(thrown, host, port)
  }
}

async function bound(
  attempt: (done: (error?: Error) => void) => void,
  clock: Clock,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const cancel = clock.after(probeTimeoutMs, () => {
      reject(Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' }))
    })
    attempt((error) => {
      cancel()
      if (error === undefined) resolve()
      else reject(error)
    })
  })
}

function sentence(thrown: unknown, host: string, port: number): string {
  switch (codeOf(thrown)) {
    case undefined:
      throw thrown
    case 'EADDRINUSE':
      return `port ${String(port)} on ${host} is in use by another program`
    case 'EADDRNOTAVAIL':
      return `${host} is not an address of this node (it has ${ownAddresses()})`
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the name ${host} cannot be resolved`
    default:
      return `${host} port ${String(port)} cannot be opened: ${messageOf(thrown)}`
  }
}

/** Those that another node could reach. */
function ownAddresses(): string {
  const all = Object.values(networkInterfaces()).flatMap((facts) => facts ?? [])
  const own = all.filter(({ internal, scopeid }) => !internal && (scopeid ?? 0) === 0)
  const names = own.map(({ address }) => address)
  const more = names.length > addressesShownMax ? ', …' : ''
  return names.length === 0 ? 'none' : `${names.slice(0, addressesShownMax).join(', ')}${more}`
}
