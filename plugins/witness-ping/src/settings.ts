/** `<witness-ping>` as the schema in plugin.json lets it through, and the rules that no schema can know. Pure. */
import { isIP } from 'node:net'

export interface PingSettings {
  readonly 'witness-ping': { readonly addr: string }
}

export interface Finding {
  /** JSON pointer into the configuration. */
  readonly path: string
  readonly message: string
}

export const addressesMax = 8

export function addressesOf(settings: PingSettings): readonly string[] {
  return settings['witness-ping'].addr.split(/\s+/).filter((text) => text !== '')
}

export function findingsOf(settings: PingSettings): readonly Finding[] {
  const path = '/witness-ping/addr'
  const addresses = addressesOf(settings)
  const wrong = addresses.filter((address) => isIP(address) === 0)
  const findings = wrong.map((address) => ({
    path,
    message: `"${address}" is not an IP address; names are refused: a failover must not depend on a name server`,
  }))
  if (addresses.length >= 1 && addresses.length <= addressesMax) return findings
  const message = `${String(addresses.length)} addresses: write 1 to ${String(addressesMax)}`
  return [...findings, { path, message }]
}
