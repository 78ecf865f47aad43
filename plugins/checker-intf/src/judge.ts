/** Decides from what `ip -j address` prints whether an interface can carry traffic. */
import { BlockList, isIP } from 'node:net'
import type { KernelInterface, Seen } from '@holdfast/sdk'

export interface Target {
  /** Undefined: the interface in whose subnet the address is. */
  readonly name: string | undefined
  readonly address: string | undefined
}

/** A bond, a bridge or a VLAN has a carrier of its own: the kernel joins what is below it. */
export function judge(target: Target, links: readonly KernelInterface[]): Seen {
  const link = find(target, links)
  if (link === undefined) {
    const cause =
      target.name === undefined
        ? `no interface has a subnet with ${target.address ?? ''}`
        : `there is no interface ${target.name}`
    return { value: 'down', cause }
  }
  const { name, flags } = link
  if (!flags.includes('UP')) return { value: 'down', cause: `${name} is switched off` }
  if (!flags.includes('LOWER_UP')) return { value: 'down', cause: `${name} has no carrier` }
  return { value: 'up', cause: `${name} has a carrier` }
}

/** The narrowest subnet counts; of equals one with a carrier, so that a second path is used. */
function find(
  { name, address }: Target,
  links: readonly KernelInterface[],
): KernelInterface | undefined {
  if (name !== undefined) return links.find((link) => link.name === name)
  const candidates = links.flatMap((link) =>
    link.addresses
      .filter((own) => own.scope !== 'link' && address !== undefined && contains(own, address))
      .map(({ prefix }) => ({ link, prefix })),
  )
  const carrier = (link: KernelInterface): number => Number(link.flags.includes('LOWER_UP'))
  candidates.sort((a, b) => b.prefix - a.prefix || carrier(b.link) - carrier(a.link))
  return candidates[0]?.link
}

function contains(subnet: { readonly address: string; readonly prefix: number }, address: string) {
  const family = isIP(address)
  if (family === 0 || family !== isIP(subnet.address)) return false
  const kind = family === 4 ? 'ipv4' : 'ipv6'
  const list = new BlockList()
  list.addSubnet(subnet.address, subnet.prefix, kind)
  return list.check(address, kind)
}
