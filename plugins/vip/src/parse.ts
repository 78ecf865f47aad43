/** Reads what `ip -j` prints: foreign text, so every field is looked at before it is believed. */
import { HoldfastError } from '@holdfast/sdk'

import { type Address, parseAddress } from './address.js'
import type { AddressFact, InterfaceFact } from './decide.js'

export interface Neighbour {
  readonly address: Address
  readonly interfaceName: string
  readonly mac: string
}

export function parseInterfaces(text: string): InterfaceFact[] {
  return recordsOf(text).flatMap((link) => {
    const name = textAt(link, 'ifname')
    if (name === undefined) return []
    const flags = listAt(link, 'flags')
    const addresses = listAt(link, 'addr_info').flatMap(addressFactOf)
    return [
      {
        name,
        mac: (textAt(link, 'address') ?? '').toLowerCase(),
        up: flags.includes('UP') && flags.includes('LOWER_UP'),
        loopback: flags.includes('LOOPBACK'),
        addresses,
      },
    ]
  })
}

/** Entries without a hardware address (nobody answered) are left out. */
export function parseNeighbours(text: string): Neighbour[] {
  return recordsOf(text).flatMap((entry) => {
    const address = parseAddress(textAt(entry, 'dst') ?? '')
    const interfaceName = textAt(entry, 'dev')
    const mac = textAt(entry, 'lladdr')?.toLowerCase()
    if (address === undefined || interfaceName === undefined || mac === undefined) return []
    return [{ address, interfaceName, mac }]
  })
}

function addressFactOf(value: unknown): AddressFact[] {
  if (!isRecord(value)) return []
  const address = parseAddress(textAt(value, 'local') ?? '')
  const prefix = value['prefixlen']
  if (address === undefined || typeof prefix !== 'number') return []
  const tentative = value['tentative'] === true
  return [{ address, prefix, linkScope: textAt(value, 'scope') === 'link', tentative }]
}

function recordsOf(text: string): Record<string, unknown>[] {
  if (text.trim() === '') return []
  const parsed = jsonOf(text)
  if (!Array.isArray(parsed)) {
    throw new HoldfastError('E_VIP_COMMAND', 'the answer of "ip -j" is not a list', {
      hint: 'install iproute2 4.18 or newer',
    })
  }
  return parsed.filter(isRecord)
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
    throw new HoldfastError('E_VIP_COMMAND', 'the answer of "ip -j" is not JSON', {
      hint: 'install iproute2 4.18 or newer',
      cause,
    })
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function textAt(record: Record<string, unknown>, key: string): string | undefined {
  const value = record[key]
  return typeof value === 'string' ? value : undefined
}

function listAt(record: Record<string, unknown>, key: string): readonly unknown[] {
  const value = record[key]
  return Array.isArray(value) ? value : []
}
