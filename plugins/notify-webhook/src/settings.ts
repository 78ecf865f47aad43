/** `/etc/holdfast/plugins/notify-webhook.json`, as the schema in plugin.json lets it through. */
export interface Settings {
  readonly url?: string
  readonly secretFile?: string
  readonly ca?: string
}
