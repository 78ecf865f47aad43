/** `<witness-etcd>` as the schema in plugin.json lets it through, and the rules that no schema can know. Pure. */
export interface EtcdSettings {
  readonly 'witness-etcd': {
    readonly endpoints: string
    readonly cluster: string
    readonly prefix: string
  }
}

export interface Finding {
  /** JSON pointer into the configuration. */
  readonly path: string
  readonly message: string
}

export const endpointsMax = 7

export function endpointsOf(settings: EtcdSettings): readonly string[] {
  return settings['witness-etcd'].endpoints.split(/\s+/).filter((text) => text !== '')
}

export function findingsOf(settings: EtcdSettings): readonly Finding[] {
  const endpoints = endpointsOf(settings)
  const path = '/witness-etcd/endpoints'
  const wrong = endpoints.filter((endpoint) => !isEndpoint(endpoint))
  const findings = wrong.map((endpoint) => ({
    path,
    message: `"${endpoint}" is not an endpoint: write http://ADDRESS:PORT or https://ADDRESS:PORT, without user, path or query`,
  }))
  if (endpoints.length >= 1 && endpoints.length <= endpointsMax) return findings
  const message = `${String(endpoints.length)} endpoints: write 1 to ${String(endpointsMax)}`
  return [...findings, { path, message }]
}

function isEndpoint(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, username, password, pathname, search, hash } = new URL(text)
  const isPlain = [username, password, search, hash].every((part) => part === '')
  return ['http:', 'https:'].includes(protocol) && isPlain && pathname === '/'
}
