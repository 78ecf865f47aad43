/** What of `<vip>` is watched by the checkers for interfaces and addresses. */
import type { WatchedAddress, WatchedInterface } from '@holdfast/sdk'
import { parseAddress, parseNetmask, widthOf } from './address.js'
import type { InterfaceConfig, VipConfig } from './config.js'
import { type InterfaceFact, place } from './decide.js'

/** One for each `<interface check="on">`, named by its network, which is the same on all nodes. */
export function watchedInterfaces(
  config: VipConfig,
  facts: readonly InterfaceFact[],
): readonly WatchedInterface[] {
  const watched = config.vip.interface_list.interface
    .filter(({ check }) => check)
    .map((one) => ({
      ident: networkOf(one, facts) ?? one.name ?? firstAddress(one),
      name: one.name,
      address: firstAddress(one),
    }))
  return [...new Map(watched.map((one) => [one.ident, one])).values()]
}

export function watchedAddresses(
  config: VipConfig,
  tolerated: () => readonly string[],
): readonly WatchedAddress[] {
  const { interface_list, duplicatecheck: duplicate } = config.vip
  return interface_list.interface
    .flatMap((one) => one.real_interface.virtual_addr)
    .filter(({ check }) => check)
    .map(({ addr: address }) => ({ address, duplicate, tolerated }))
}

function firstAddress(one: InterfaceConfig): string {
  return one.real_interface.virtual_addr[0]?.addr ?? ''
}

/** IPv4 only: `10.0.0.0` for 10.0.0.100 in 10.0.0.0/24. Undefined: there is no IPv4 address, or no place for it now. */
function networkOf(one: InterfaceConfig, facts: readonly InterfaceFact[]): string | undefined {
  for (const { addr, netmask } of one.real_interface.virtual_addr) {
    const address = parseAddress(addr)
    if (address?.family !== 4) continue
    const prefix = netmask === undefined ? undefined : parseNetmask(netmask)
    const found = place({ address, interfaceName: one.name, prefix }, facts, [])
    if (found.kind === 'nowhere') continue
    const hostBits = BigInt(widthOf(4) - found.placed.prefix)
    const network = (address.value >> hostBits) << hostBits
    return [24n, 16n, 8n, 0n].map((shift) => String((network >> shift) & 255n)).join('.')
  }
  return undefined
}
