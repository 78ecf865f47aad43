/** The `<vip>` element as plugin.json's schema lets it through, defaults filled in. */

export interface VipConfig {
  readonly vip: {
    readonly tcpreset: boolean
    readonly duplicatecheck: boolean
    readonly interface_list: { readonly interface: readonly InterfaceConfig[] }
  }
}

export interface InterfaceConfig {
  readonly name?: string
  readonly check: boolean
  readonly arpreroute: boolean
  /** Seconds, as the two below. */
  readonly arpinterval: number
  readonly arpelapse: number
  readonly real_interface: { readonly virtual_addr: readonly VirtualAddressConfig[] }
}

export interface VirtualAddressConfig {
  readonly addr: string
  readonly where: 'one_side_alias'
  readonly netmask?: string
  readonly check: boolean
}
