/** `<witness>` as the schema in plugin.json lets it through, and the rules that no schema can know. Pure. */
import { isIP } from 'node:net'

export interface WitnessSettings {
  readonly witness: {
    readonly server: readonly { readonly addr: string; readonly keyfile: string }[]
  }
}

export interface Finding {
  /** JSON pointer into the configuration. */
  readonly path: string
  readonly message: string
}

export interface Address {
  readonly host: string
  readonly port: number
}

export const defaultPort = 4803

/** Undefined: malformed. Names are refused: a failover must not depend on a name server. */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)|([^[\]]*:[^[\]]*:[^[\]]*))(?::(\d{1,5}))?$/.exec(text)
  const host = match?.[1] ?? match?.[2] ?? match?.[3] ?? ''
  const port = match?.[4] === undefined ? defaultPort : Number(match[4])
  if (isIP(host) === 0 || port < 1 || port > 65_535) return undefined
  return { host, port }
}

export function findingsOf(settings: WitnessSettings): Finding[] {
  const { server } = settings.witness
  const findings: Finding[] = []
  const seen = new Set<string>()
  server.forEach(({ addr }, index) => {
    const path = `/witness/server/${String(index)}/addr`
    const address = parseAddress(addr)
    if (address === undefined) {
      const allowed = 'write an IP address with an optional port, 10.0.0.9:4803 or [fd00::9]:4803'
      findings.push({ path, message: `"${addr}" is not an address: ${allowed}` })
      return
    }
    const name = `${address.host} ${String(address.port)}`
    if (seen.has(name)) findings.push({ path, message: `${addr} is written twice` })
    seen.add(name)
  })
  if (server.length % 2 === 0) {
    const message = `${String(server.length)} witness servers can be divided equally between the nodes, and then nobody may go on: write 1, 3 or 5`
    findings.push({ path: '/witness/server', message })
  }
  return findings
}
