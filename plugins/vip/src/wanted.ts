/** From the configuration to the addresses that are wanted, and to the list of what is wrong with them. */
import { type Address, parseAddress, parseNetmask } from './address.js'
import type { VipConfig } from './config.js'
import { type InterfaceFact, ownerOnThisNode, place, type PlacedAddress } from './decide.js'
import { sameAddress, unusable, type WantedAddress } from './decide.js'

export interface Problem {
  /** JSON pointer into the configuration. */
  readonly path: string
  readonly message: string
}

export interface WantedEntry extends WantedAddress {
  readonly path: string
  /** Undefined: the early announcements only. */
  readonly repeat: { readonly intervalMs: number; readonly elapseMs: number } | undefined
}

/** Malformed addresses and netmasks are left out here and reported by `problemsOf`. */
export function wantedOf(config: VipConfig): WantedEntry[] {
  return rawEntries(config).flatMap(({ path, addr, netmask, name, repeat }) => {
    const address = parseAddress(addr)
    const prefix = netmask === undefined ? undefined : parseNetmask(netmask)
    return address === undefined ? [] : [{ address, prefix, interfaceName: name, path, repeat }]
  })
}

/** The same element in another module of this node. */
export interface OtherModule {
  readonly module: string
  readonly config: VipConfig
}

/** Everything that is wrong on this node, all at once. */
export function problemsOf(
  config: VipConfig,
  interfaces: readonly InterfaceFact[],
  others: readonly OtherModule[],
): Problem[] {
  const wanted = wantedOf(config)
  const addresses = wanted.map((one) => one.address)
  return [
    ...rawEntries(config).flatMap(textProblems),
    ...repeatedAddresses(wanted),
    ...wanted.flatMap(
      (one) => otherModuleProblem(one, others) ?? placeProblems(one, interfaces, addresses),
    ),
  ]
}

/** Where each address goes on this node, or the first reason why one has no place. */
export function placeAll(
  wanted: readonly WantedEntry[],
  interfaces: readonly InterfaceFact[],
): { readonly placed: readonly PlacedAddress[]; readonly reason: string | undefined } {
  const addresses = wanted.map((one) => one.address)
  const placed: PlacedAddress[] = []
  for (const one of wanted) {
    const placement = place(one, interfaces, addresses)
    if (placement.kind === 'nowhere') return { placed, reason: placement.reason }
    placed.push(placement.placed)
  }
  return { placed, reason: undefined }
}

interface RawEntry {
  readonly path: string
  readonly addr: string
  readonly netmask: string | undefined
  readonly name: string | undefined
  readonly repeat: WantedEntry['repeat']
}

function rawEntries(config: VipConfig): RawEntry[] {
  return config.vip.interface_list.interface.flatMap((one, index) =>
    one.real_interface.virtual_addr.map((virtual, at) => ({
      path: addressPath(index, at),
      addr: virtual.addr,
      netmask: virtual.netmask,
      name: one.name,
      repeat: one.arpreroute
        ? { intervalMs: one.arpinterval * 1_000, elapseMs: one.arpelapse * 1_000 }
        : undefined,
    })),
  )
}

function textProblems({ path, addr, netmask }: RawEntry): Problem[] {
  const address = parseAddress(addr)
  if (address === undefined) {
    const message = `"${addr}" is not an IP address; write an IPv4 address such as 10.0.0.100, or an IPv6 address such as fd00::100`
    return [{ path: `${path}/addr`, message }]
  }
  if (netmask === undefined) return []
  if (address.family === 6) {
    const message = 'netmask belongs to IPv4 only; remove it from this IPv6 address'
    return [{ path: `${path}/netmask`, message }]
  }
  if (parseNetmask(netmask) === undefined) {
    const message = `"${netmask}" is not a netmask; write 255.255.255.0 or 24, or leave it out to use that of the subnet`
    return [{ path: `${path}/netmask`, message }]
  }
  return []
}

function repeatedAddresses(wanted: readonly WantedEntry[]): Problem[] {
  return wanted.flatMap((one, index) => {
    const earlier = wanted.slice(0, index).find((other) => sameAddress(other.address, one.address))
    if (earlier === undefined) return []
    const message = `${one.address.text} is written twice (first as ${earlier.address.text}); remove one`
    return [{ path: `${one.path}/addr`, message }]
  })
}

function otherModuleProblem(
  wanted: WantedEntry,
  others: readonly OtherModule[],
): Problem[] | undefined {
  const owner = others.find((other) =>
    wantedOf(other.config).some((one) => sameAddress(one.address, wanted.address)),
  )
  if (owner === undefined) return undefined
  const message = `module ${owner.module} has ${wanted.address.text} already; choose another address`
  return [{ path: `${wanted.path}/addr`, message }]
}

function placeProblems(
  wanted: WantedEntry,
  interfaces: readonly InterfaceFact[],
  addresses: readonly Address[],
): Problem[] {
  const path = `${wanted.path}/addr`
  const useless = unusable(wanted.address, undefined)
  if (useless !== undefined) return [{ path, message: `${useless}; a virtual address can't be` }]
  const owner = ownerOnThisNode(wanted.address, interfaces)
  if (owner !== undefined) {
    const message = `this node has ${wanted.address.text} itself, on ${owner}; choose an address that no machine and no other module uses`
    return [{ path, message }]
  }
  const placement = place(wanted, interfaces, addresses)
  if (placement.kind === 'nowhere') {
    const hint = 'choose an address of one of these subnets, or write name and netmask'
    return [{ path, message: `${placement.reason}; ${hint}` }]
  }
  const host = unusable(wanted.address, placement.placed.prefix)
  return host === undefined ? [] : [{ path, message: `${host}; choose another address` }]
}

function interfacePath(index: number): string {
  return `/vip/interface_list/interface/${String(index)}`
}

function addressPath(index: number, at: number): string {
  return `${interfacePath(index)}/real_interface/virtual_addr/${String(at)}`
}
