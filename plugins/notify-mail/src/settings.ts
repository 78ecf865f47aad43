/** `/etc/holdfast/plugins/notify-mail.json`, as the schema in plugin.json lets it through. */
export interface Settings {
  readonly host?: string
  readonly port?: number
  readonly security: 'starttls' | 'tls' | 'none'
  readonly ca?: string
  readonly user?: string
  readonly passwordFile?: string
  readonly from?: string
  readonly to?: readonly string[]
}

/** Settings with which mail can be sent. */
export interface MailSettings extends Settings {
  readonly host: string
  readonly from: string
  readonly to: readonly string[]
}

/** The schema lets `host` in only together with the others. */
export function isForMail(settings: Settings): settings is MailSettings {
  return settings.host !== undefined && settings.from !== undefined && settings.to !== undefined
}

const ports = { starttls: 587, tls: 465, none: 25 }

export function portOf({ port, security }: Settings): number {
  return port ?? ports[security]
}
