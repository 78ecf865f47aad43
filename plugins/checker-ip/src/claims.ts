/**
 * IPv6: the kernel drops answers for an address of its own, so they are noted by a table of nftables before it does.
 * Texts for `nft` and what it answers. Pure.
 */

/** Answers that come too late for one look are not believed at the next. */
const keptSeconds = 5
const claimsMax = 16

/** `fd00::9` as 32 hexadecimal digits; `address` is a valid IPv6 address. */
function digitsOf(address: string): string {
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::')
  const groups = (part: string): readonly string[] => (part === '' ? [] : part.split(':'))
  const left = groups(head)
  const right = tail === undefined ? [] : groups(tail)
  const gap = Array.from({ length: 8 - left.length - right.length }, () => '0')
  return [...left, ...gap, ...right].map((group) => group.padStart(4, '0')).join('')
}

/** One table an address: who asks for two at the same time disturbs nobody. */
export function tableOf(address: string): string {
  return `holdfast_ip_${digitsOf(address)}`
}

/** Notes the hardware addresses that advertise `address`. The first two lines make it safe to repeat. */
export function noteClaims(address: string, interfaceName: string): string {
  const table = tableOf(address)
  const target = `@th,64,128 0x${digitsOf(address)}`
  return `table ip6 ${table}
delete table ip6 ${table}
table ip6 ${table} {
  set claims {
    type ether_addr; flags dynamic,timeout; timeout ${String(keptSeconds)}s; size ${String(claimsMax)}
  }
  chain heard {
    type filter hook input priority -300; policy accept
    iifname "${interfaceName}" icmpv6 type nd-neighbor-advert ${target} add @claims { ether saddr }
  }
}
`
}

/** The hardware addresses in what `nft list set` says. */
export function claimsIn(text: string): readonly string[] {
  return [...new Set(text.match(/\b[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b/g) ?? [])].slice(0, claimsMax)
}
