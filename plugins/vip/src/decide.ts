/** Decides where a virtual address goes, what must be added and removed, and whether it may be taken. */
import type { Address } from './address.js'

export interface InterfaceFact {
  readonly name: string
  readonly mac: string
  readonly up: boolean
  readonly loopback: boolean
  readonly addresses: readonly AddressFact[]
}

export interface AddressFact {
  readonly address: Address
  readonly prefix: number
  readonly linkScope: boolean
  /** The kernel still asks whether somebody else has it; it sends nothing from it until then. */
  readonly tentative: boolean
}

export interface WantedAddress {
  readonly address: Address
  /** Undefined: whichever interface has a subnet that contains the address. */
  readonly interfaceName: string | undefined
  /** From the netmask attribute; undefined: that of the subnet. */
  readonly prefix: number | undefined
}

export interface PlacedAddress {
  readonly address: Address
  readonly interfaceName: string
  readonly prefix: number
}

export type Placement =
  | { readonly kind: 'placed'; readonly placed: PlacedAddress }
  | { readonly kind: 'nowhere'; readonly reason: string }

/** `taken` are addresses that are ours to move: they must not count as the node's own subnets. */
export function place(
  wanted: WantedAddress,
  interfaces: readonly InterfaceFact[],
  taken: readonly Address[],
): Placement {
  const { address, interfaceName } = wanted
  const named = interfaces.filter(
    (one) => interfaceName === undefined || one.name === interfaceName,
  )
  if (named.length === 0) {
    return nowhere(
      `this node has no network interface ${interfaceName ?? ''}; it has ${namesOf(interfaces)}`,
    )
  }
  const best = candidatesFor(address, named, taken)[0]
  if (best !== undefined) {
    const prefix = prefixFor(wanted, best.prefix)
    return { kind: 'placed', placed: { address, interfaceName: best.name, prefix } }
  }
  const only = interfaceName === undefined ? undefined : named[0]
  if (only !== undefined && wanted.prefix !== undefined) {
    // Both are written down: the operator knows a subnet that the node itself is not in.
    const placed = { address, interfaceName: only.name, prefix: wanted.prefix }
    return { kind: 'placed', placed }
  }
  return nowhere(`${address.text} is in no subnet of ${subnetsText(named, address.family)}`)
}

interface Candidate {
  readonly name: string
  readonly up: boolean
  readonly prefix: number
}

/** Best first: up, then the narrowest subnet, then by name, so that every call gives the same answer. */
function candidatesFor(
  address: Address,
  interfaces: readonly InterfaceFact[],
  taken: readonly Address[],
): Candidate[] {
  return interfaces
    .filter((one) => !one.loopback)
    .flatMap((one) =>
      one.addresses
        .filter(
          (fact) => !fact.linkScope && !taken.some((other) => sameAddress(other, fact.address)),
        )
        .filter((fact) => contains(fact, address))
        .map((fact) => ({ name: one.name, up: one.up, prefix: fact.prefix })),
    )
    .sort((a, b) => Number(b.up) - Number(a.up) || b.prefix - a.prefix || compare(a.name, b.name))
}

function prefixFor(wanted: WantedAddress, subnetPrefix: number): number {
  // A host route is enough for IPv6 and leaves the node's choice of source addresses alone.
  return wanted.address.family === 6 ? 128 : (wanted.prefix ?? subnetPrefix)
}

/** Those that are not on their interface yet. */
export function toAdd(
  placed: readonly PlacedAddress[],
  interfaces: readonly InterfaceFact[],
): PlacedAddress[] {
  return placed.filter((one) => factOf(one, interfaces) === undefined)
}

/** Those of `recorded` that are still there, with the prefix that the kernel has for them. */
export function toRemove(
  recorded: readonly PlacedAddress[],
  interfaces: readonly InterfaceFact[],
): PlacedAddress[] {
  return recorded.flatMap((one) => {
    const fact = factOf(one, interfaces)
    return fact === undefined ? [] : [{ ...one, prefix: fact.prefix }]
  })
}

/** An address of the node itself that equals `address`, and where it is. */
export function ownerOnThisNode(
  address: Address,
  interfaces: readonly InterfaceFact[],
): string | undefined {
  return interfaces.find((one) => one.addresses.some((fact) => sameAddress(fact.address, address)))
    ?.name
}

/**
 * Names of the interfaces from which the kernel can't ask for an IPv6 owner yet: it asks from the link-local address,
 * and for a second or two after the cable came in that one is missing or tentative. A question now would be dropped
 * without a word, and silence would look like a free address.
 */
export function notReadyToAsk(
  addresses: readonly PlacedAddress[],
  interfaces: readonly InterfaceFact[],
): string[] {
  const names = addresses.flatMap(({ address, interfaceName }) =>
    address.family === 6 ? [interfaceName] : [],
  )
  return interfaces
    .filter((one) => names.includes(one.name) && one.up)
    .filter(({ addresses: facts }) => !facts.some(isSettledLinkLocal))
    .map(({ name }) => name)
}

function isSettledLinkLocal(fact: AddressFact): boolean {
  return fact.address.family === 6 && fact.linkScope && !fact.tentative
}

function factOf(
  placed: PlacedAddress,
  interfaces: readonly InterfaceFact[],
): AddressFact | undefined {
  return interfaces
    .find((one) => one.name === placed.interfaceName)
    ?.addresses.find((fact) => sameAddress(fact.address, placed.address))
}

/** What to do about one round of questions to the network. */
export type Judgement =
  | { readonly kind: 'free' }
  | { readonly kind: 'askAgain'; readonly answer: Answer }
  /** Only the peer answers, and it had its time: it has no right to the address any more. */
  | { readonly kind: 'takeOver'; readonly answer: Answer }
  | { readonly kind: 'refuse'; readonly answer: Answer }

export interface Answer {
  readonly address: Address
  readonly mac: string
}

/** How long an address that somebody answers for is asked again: a peer that steps down needs a moment. */
export const patienceMs = 3_000

export function judge(facts: {
  readonly answers: readonly Answer[]
  readonly peerMacs: readonly string[]
  readonly waitedMs: number
}): Judgement {
  const first = facts.answers[0]
  if (first === undefined) return { kind: 'free' }
  if (facts.waitedMs < patienceMs) return { kind: 'askAgain', answer: first }
  const stranger = facts.answers.find((one) => !facts.peerMacs.includes(one.mac))
  if (stranger !== undefined) return { kind: 'refuse', answer: stranger }
  return { kind: 'takeOver', answer: first }
}

/** After the first announcement: a switch or router that is still learning may miss it. */
const earlyRepeatsMs = [1_000, 2_000, 5_000]

/** Milliseconds from `elapsedMs` after the take-over to the next announcement; undefined: no more. */
export function nextRepeatMs(
  elapsedMs: number,
  schedule: { readonly intervalMs: number; readonly elapseMs: number } | undefined,
): number | undefined {
  const early = earlyRepeatsMs.find((at) => at > elapsedMs)
  if (early !== undefined) return early - elapsedMs
  if (schedule === undefined) return undefined
  const next = (Math.floor(elapsedMs / schedule.intervalMs) + 1) * schedule.intervalMs
  return next <= schedule.elapseMs ? next - elapsedMs : undefined
}

export function sameAddress(a: Address, b: Address): boolean {
  return a.family === b.family && a.value === b.value
}

/** Does the subnet of `fact` contain `address`? */
export function contains(fact: AddressFact, address: Address): boolean {
  if (fact.address.family !== address.family) return false
  const hostBits = BigInt((address.family === 4 ? 32 : 128) - fact.prefix)
  return fact.address.value >> hostBits === address.value >> hostBits
}

/** Why an address can't be anybody's address in its subnet; undefined: it can. */
export function unusable(address: Address, prefix: number | undefined): string | undefined {
  const { family, value, text } = address
  const first = family === 4 ? value >> 24n : value >> 120n
  if (family === 4) {
    if (first === 127n) return `${text} is a loopback address`
    if (first === 0n || first >= 240n) return `${text} is a reserved address`
    if (first >= 224n) return `${text} is a multicast address`
    return hostPartProblem(address, prefix)
  }
  if (value <= 1n) return `${text} is the ${value === 1n ? 'loopback' : 'unspecified'} address`
  if (first === 0xffn) return `${text} is a multicast address`
  if (value >> 118n === 0x3fan) return `${text} is a link-local address`
  if (value >> 32n === 0xffffn) return `${text} is an IPv4 address in IPv6 spelling`
  return undefined
}

function hostPartProblem(address: Address, prefix: number | undefined): string | undefined {
  if (prefix === undefined || prefix > 30) return undefined
  const hosts = 1n << BigInt(32 - prefix)
  const host = address.value % hosts
  if (host === 0n) return `${address.text} is the address of its whole subnet (/${String(prefix)})`
  if (host === hosts - 1n) {
    return `${address.text} is the broadcast address of its subnet (/${String(prefix)})`
  }
  return undefined
}

function nowhere(reason: string): Placement {
  return { kind: 'nowhere', reason }
}

function namesOf(interfaces: readonly InterfaceFact[]): string {
  const names = interfaces.filter((one) => !one.loopback).map((one) => one.name)
  return names.length === 0 ? 'none' : names.sort(compare).join(', ')
}

function subnetsText(interfaces: readonly InterfaceFact[], family: 4 | 6): string {
  const subnets = interfaces
    .filter((one) => !one.loopback)
    .flatMap((one) =>
      one.addresses
        .filter((fact) => fact.address.family === family && !fact.linkScope)
        .map((fact) => `${one.name} ${fact.address.text}/${String(fact.prefix)}`),
    )
  const none = `this node (it has no IPv${String(family)} address on ${namesOf(interfaces)})`
  return subnets.length === 0 ? none : `this node: ${subnets.sort(compare).join(', ')}`
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
