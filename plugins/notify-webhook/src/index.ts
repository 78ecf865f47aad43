/** notify-webhook: notices are posted to a program by HTTPS. */
import { clock, definePlugin, notifier } from '@holdfast/sdk'
import type { Settings } from './settings.js'
import { Webhook } from './webhook.js'

const needs = { clock }

export const plugin = definePlugin<typeof needs, Settings>({
  needs,
  activate({ clock }, settings, scope) {
    const { url, secretFile } = settings
    // The schema lets in both or none.
    if (url === undefined || secretFile === undefined) return
    scope.contribute(notifier, 'webhook', new Webhook({ ...settings, url, secretFile }, clock))
  },
})
