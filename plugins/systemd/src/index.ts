/**
 * systemd: tells systemd that the daemon is ready, and again and again that its event loop runs. A daemon that hangs is
 * then started again and adopts what runs. It resets no machine: that is the plugin watchdog.
 */
import { clock, definePlugin, log } from '@holdfast/sdk'
import { sendTo } from './datagram.js'
import { wantedOf } from './settings.js'

export const plugin = definePlugin({
  needs: { clock, log },
  activate(deps, _settings, scope) {
    const { socket, periodMs } = wantedOf(process.env, process.pid)
    if (socket === undefined) return
    let wasSent = true
    const tell = (text: string): void => {
      const failure = sendTo(socket, text)
      if (failure !== undefined && wasSent) {
        deps.log.write('warning', 'systemdNotTold', { text: `${text}: ${failure}` })
      }
      wasSent = failure === undefined
    }
    tell('READY=1')
    const cancel =
      periodMs === undefined ? undefined : deps.clock.every(periodMs, () => tell('WATCHDOG=1'))
    scope.onStop(() => {
      cancel?.()
      tell('STOPPING=1')
    })
  },
})
