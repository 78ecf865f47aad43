/** What `ip -j` prints, as this plugin thinks of it: addresses are numbers, so that each has one spelling. */
import { interfacesOf, type KernelAddress, neighboursOf } from '@holdfast/sdk'

import { type Address, parseAddress } from './address.js'
import type { AddressFact, InterfaceFact } from './decide.js'

export interface Neighbour {
  readonly address: Address
  readonly interfaceName: string
  readonly mac: string
}

export function parseInterfaces(text: string): InterfaceFact[] {
  return interfacesOf(text).map(({ name, mac, flags, addresses }) => ({
    name,
    mac,
    up: flags.includes('UP') && flags.includes('LOWER_UP'),
    loopback: flags.includes('LOOPBACK'),
    addresses: addresses.flatMap(addressFactOf),
  }))
}

export function parseNeighbours(printed: string): Neighbour[] {
  return neighboursOf(printed).flatMap(({ address: text, interfaceName, mac }) => {
    const address = parseAddress(text)
    if (address === undefined || interfaceName === undefined) return []
    return [{ address, interfaceName, mac }]
  })
}

function addressFactOf({ address: text, prefix, scope, tentative }: KernelAddress): AddressFact[] {
  const address = parseAddress(text)
  return address === undefined ? [] : [{ address, prefix, linkScope: scope === 'link', tentative }]
}
