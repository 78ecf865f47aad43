/** `/etc/holdfast/plugins/notify.json`, as the schema in plugin.json lets it through. */
import type { LogLevel } from '@holdfast/sdk'

export interface Settings {
  readonly levels: readonly LogLevel[]
  readonly states: 'none' | 'roles' | 'all'
  readonly messagesMax: number
  readonly intervalSeconds: number
}
