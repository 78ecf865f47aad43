/** notify-mail: notices go out by SMTP. */
import { definePlugin, HoldfastError, log, notifier } from '@holdfast/sdk'
import { Mailer } from './mailer.js'
import { isForMail, type Settings } from './settings.js'

const needs = { log }

export const plugin = definePlugin<typeof needs, Settings>({
  needs,
  activate({ log }, settings, scope) {
    if (!isForMail(settings)) return
    if (settings.security === 'none' && settings.user !== undefined) {
      throw new HoldfastError(
        'E_NOTIFY_CLEAR',
        'security "none" would send the password in the clear',
        { hint: 'use starttls or tls, or take user and passwordFile out of notify-mail.json' },
      )
    }
    scope.contribute(notifier, 'mail', new Mailer(settings, log))
  },
})
