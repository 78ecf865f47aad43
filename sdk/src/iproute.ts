/** Reads what `ip -j` prints: foreign text, so every field is looked at before it is believed. */
import { HoldfastError, messageOf } from './errors.js'

/** One of `ip -j address`. */
export interface KernelInterface {
  readonly name: string
  /** In small letters; empty: it has none. */
  readonly mac: string
  /** `UP`, `LOWER_UP`, `LOOPBACK` … */
  readonly flags: readonly string[]
  readonly addresses: readonly KernelAddress[]
}

export interface KernelAddress {
  readonly address: string
  readonly prefix: number
  /** `link`: it leads nowhere else. */
  readonly scope: string
  /** IPv6: the kernel still asks whether somebody else has it. */
  readonly tentative: boolean
  /** IPv6: the kernel found that somebody else has it. */
  readonly refused: boolean
}

/** One of `ip -j neighbour`. */
export interface KernelNeighbour {
  readonly address: string
  /** Undefined: the command asked for those of one interface, and does not say it again. */
  readonly interfaceName: string | undefined
  /** In small letters. */
  readonly mac: string
}

/** Throws HoldfastError for what is no list of records; of a record, what does not look as expected is left out. */
export function interfacesOf(text: string): readonly KernelInterface[] {
  return recordsOf(text).flatMap((link) => {
    const name = textAt(link, 'ifname')
    if (name === undefined) return []
    const mac = (textAt(link, 'address') ?? '').toLowerCase()
    const flags = listAt(link, 'flags').filter((flag) => typeof flag === 'string')
    return [{ name, mac, flags, addresses: listAt(link, 'addr_info').flatMap(addressOf) }]
  })
}

/** As above. Entries without a hardware address (nobody answered) are left out. */
export function neighboursOf(text: string): readonly KernelNeighbour[] {
  return recordsOf(text).flatMap((entry) => {
    const address = textAt(entry, 'dst')
    const interfaceName = textAt(entry, 'dev')
    const mac = textAt(entry, 'lladdr')?.toLowerCase()
    return address === undefined || mac === undefined ? [] : [{ address, interfaceName, mac }]
  })
}

function addressOf(value: unknown): KernelAddress[] {
  if (!isRecord(value)) return []
  const address = textAt(value, 'local')
  const prefix = value['prefixlen']
  if (address === undefined || typeof prefix !== 'number') return []
  const scope = textAt(value, 'scope') ?? ''
  const [tentative, refused] = [value['tentative'] === true, value['dadfailed'] === true]
  return [{ address, prefix, scope, tentative, refused }]
}

function recordsOf(text: string): readonly Readonly<Record<string, unknown>>[] {
  if (text.trim() === '') return []
  const parsed = parse(text)
  if (Array.isArray(parsed)) return parsed.filter(isRecord)
  throw malformed('it is not a list')
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown
    throw malformed(messageOf(thrown))
  }
}

function malformed(why: string): HoldfastError {
  return new HoldfastError('E_IPROUTE_ANSWER', `the answer of "ip -j" can't be read: ${why}`, {
    hint: 'install iproute2 4.18 or newer',
  })
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function textAt(record: Readonly<Record<string, unknown>>, key: string): string | undefined {
  const value = record[key]
  return typeof value === 'string' ? value : undefined
}

function listAt(record: Readonly<Record<string, unknown>>, key: string): readonly unknown[] {
  const value = record[key]
  return Array.isArray(value) ? value : []
}
