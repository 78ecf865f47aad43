/** Reads cluster.xml: shape by schema, then the rules between its elements. Every error has file, line and column. */
import { isIPv4, isIPv6 } from 'node:net'
import type { Lan, NetworkSettings } from '../network/index.js'
import { type Finding, invalid, tryBind } from '../xml/bind.js'
import { parseXml, type Position, type XmlElement } from '../xml/document.js'
import { clusterSchema, nodesMax } from './schema.js'

/** The configuration in force on this node. */
export interface ClusterConfig extends NetworkSettings {
  /** Identity of the cluster, made by `cluster init`. */
  readonly id: string
  readonly revision: number
  readonly self: string
  /** All nodes, sorted. */
  readonly nodes: readonly string[]
  readonly pulseMs: number
  /** In order of preference. */
  readonly lans: readonly Lan[]
}

/** What cluster.xml says, without who reads it. */
export interface ClusterLayout {
  readonly nodes: readonly string[]
  readonly pulseMs: number
  readonly lans: readonly Lan[]
}

interface BoundCluster {
  readonly lans: {
    readonly port: number
    readonly pulse: number
    readonly lan: readonly {
      readonly name: string
      readonly node: readonly {
        readonly name: string
        readonly addr: string
        readonly laddr?: string
      }[]
    }[]
  }
}

/** A message between nodes must hold the document. */
const xmlBytesMax = 256 * 1024

/** Throws `E_XML_*` or `E_CONFIG_INVALID`, with all findings at once. `file` is only for the messages. */
export function readLayout(xml: string, file: string): ClusterLayout {
  if (Buffer.byteLength(xml) > xmlBytesMax) {
    const message = `the document is larger than ${String(xmlBytesMax)} bytes`
    throw invalid(file, [{ line: 1, column: 1, message }])
  }
  const root = parseXml(xml, file)
  if (root.name !== 'cluster') {
    throw invalid(file, [{ ...root, message: `<${root.name}> is not <cluster>` }])
  }
  const { binding, findings } = tryBind(root, clusterSchema)
  if (findings.length > 0) throw invalid(file, findings)
  const layout = layoutOf(binding.value as BoundCluster) // The schema has just said so.
  const contradictions = contradictionsOf(root)
  if (contradictions.length > 0) throw invalid(file, contradictions)
  return layout
}

export function configOf(
  layout: ClusterLayout,
  member: { readonly id: string; readonly revision: number; readonly self: string },
): ClusterConfig {
  return { ...layout, ...member, cluster: member.id }
}

function layoutOf({ lans }: BoundCluster): ClusterLayout {
  const names = lans.lan.flatMap((lan) => lan.node.map((node) => node.name))
  return {
    nodes: [...new Set(names)].sort(),
    pulseMs: lans.pulse,
    lans: lans.lan.map((lan) => ({
      name: lan.name,
      port: lans.port,
      nodes: lan.node.map(({ name, addr, laddr }) => {
        const entry = { name, addr: withoutBrackets(addr) }
        return laddr === undefined ? entry : { ...entry, laddr: withoutBrackets(laddr) }
      }),
    })),
  }
}

/** What no schema can say: duplicates, addresses, and that one LAN has everybody. */
function contradictionsOf(root: XmlElement): readonly Finding[] {
  const lans = childrenOf(root, 'lans').flatMap((one) => childrenOf(one, 'lan'))
  const nodes = lans.flatMap((lan) => childrenOf(lan, 'node'))
  const names = new Set(nodes.map((node) => valueOf(node, 'name')))
  const findings = [
    ...duplicates(lans, 'name', 'LAN'),
    ...lans.flatMap((lan) => duplicates(childrenOf(lan, 'node'), 'name', 'node of this LAN')),
    ...duplicates(nodes, 'addr', 'address'),
    ...[...names].flatMap((name) => {
      const own = nodes.filter((node) => valueOf(node, 'name') === name)
      return duplicates(own, 'laddr', `local address of ${name ?? '?'}`)
    }),
    ...nodes.flatMap(badAddresses),
  ]
  const hasAll = (lan: XmlElement): boolean =>
    new Set(childrenOf(lan, 'node').map((node) => valueOf(node, 'name'))).size === names.size
  if (!lans.some(hasAll)) {
    const list = [...names].sort().join(', ')
    const message = `no <lan> contains all nodes (${list}); at least one must`
    findings.push({ ...placeOf(lans[0] ?? root), message })
  }
  if (names.size > nodesMax) {
    const message = `${String(names.size)} nodes; at most ${String(nodesMax)} are allowed`
    findings.push({ ...placeOf(root), message })
  }
  return findings
}

function duplicates(elements: readonly XmlElement[], name: string, what: string): Finding[] {
  const seen = new Map<string, Position>()
  return elements.flatMap((element) => {
    const value = valueOf(element, name)
    if (value === undefined) return []
    const key = withoutBrackets(value).toLowerCase()
    const first = seen.get(key)
    seen.set(key, first ?? placeOf(element, name))
    if (first === undefined) return []
    const message = `${what} "${value}" is used twice, first in line ${String(first.line)}`
    return [{ ...placeOf(element, name), message }]
  })
}

function badAddresses(node: XmlElement): Finding[] {
  return ['addr', 'laddr'].flatMap((name) => {
    const value = valueOf(node, name)
    if (value === undefined || isAddress(withoutBrackets(value))) return []
    const message = `attribute "${name}" of <node> is "${value}": allowed: an IPv4 address, an IPv6 address, or a DNS name`
    return [{ ...placeOf(node, name), message }]
  })
}

function isAddress(host: string): boolean {
  if (isIPv4(host)) return host !== '0.0.0.0'
  if (host.includes(':')) return isIPv6(host) && host !== '::'
  // Digits and dots only: a mistyped IPv4 address, not a name.
  if (/^[\d.]+$/.test(host)) return false
  return host.split('.').every((label) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(label))
}

function withoutBrackets(address: string): string {
  return /^\[.*\]$/.test(address) ? address.slice(1, -1) : address
}

function childrenOf(element: XmlElement, name: string): readonly XmlElement[] {
  return element.children.filter((child) => child.name === name)
}

function valueOf(element: XmlElement, name: string): string | undefined {
  return element.attributes.find((attribute) => attribute.name === name)?.value
}

function placeOf(element: XmlElement, attribute?: string): Position {
  const written = element.attributes.find((one) => one.name === attribute)
  const { line, column } = written ?? element
  return { line, column }
}
