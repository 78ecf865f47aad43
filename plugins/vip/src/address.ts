/** IP addresses as numbers, because subnets are compared by bits and one address has many spellings. */

export interface Address {
  readonly family: 4 | 6
  readonly value: bigint
  /** As it was written; compare `value`, never this. */
  readonly text: string
}

/** Bits of an address of this family. */
export function widthOf(family: 4 | 6): 32 | 128 {
  return family === 4 ? 32 : 128
}

/** Undefined: not an IPv4 address in four decimal parts, nor an IPv6 address without zone. */
export function parseAddress(text: string): Address | undefined {
  const family = text.includes(':') ? 6 : 4
  const value = family === 6 ? parseIpv6(text) : parseIpv4(text)
  return value === undefined ? undefined : { family, value, text }
}

/** The prefix length that `255.255.255.0` or `24` stands for; undefined: neither of both. */
export function parseNetmask(text: string): number | undefined {
  if (/^\d{1,2}$/.test(text)) {
    const prefix = Number(text)
    return prefix >= 1 && prefix <= 32 ? prefix : undefined
  }
  const value = parseIpv4(text)
  if (value === undefined) return undefined
  const bits = value.toString(2).padStart(32, '0')
  return /^1+0*$/.test(bits) ? bits.lastIndexOf('1') + 1 : undefined
}

function parseIpv4(text: string): bigint | undefined {
  const parts = text.split('.')
  if (parts.length !== 4) return undefined
  let value = 0n
  for (const part of parts) {
    // A leading zero means octal to some tools and decimal to others: refused.
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined
    value = value * 256n + BigInt(part)
  }
  return value
}

function parseIpv6(text: string): bigint | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const head = groupsOf(halves[0] ?? '')
  const tail = groupsOf(halves[1] ?? '')
  if (head === undefined || tail === undefined) return undefined
  const missing = 8 - head.length - tail.length
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined
  const zeros = Array.from({ length: missing }, () => 0n)
  return [...head, ...zeros, ...tail].reduce((value, group) => value * 65536n + group, 0n)
}

function groupsOf(half: string): bigint[] | undefined {
  if (half === '') return []
  const groups: bigint[] = []
  const parts = half.split(':')
  for (const [index, part] of parts.entries()) {
    if (index === parts.length - 1 && part.includes('.')) {
      const ipv4 = parseIpv4(part)
      if (ipv4 === undefined) return undefined
      groups.push(ipv4 / 65536n, ipv4 % 65536n)
    } else {
      if (!/^[0-9a-f]{1,4}$/i.test(part)) return undefined
      groups.push(BigInt(`0x${part}`))
    }
  }
  return groups
}
