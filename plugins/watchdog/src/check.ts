/** What `module config` says about the watchdog of this node. The sum of the delays is the topology's to check. */
import { problemOf } from './device.js'
import type { WatchdogSettings } from './settings.js'

interface Finding {
  readonly path: string
  readonly message: string
}

export function check({ watchdog }: WatchdogSettings): {
  readonly errors: readonly Finding[]
  readonly warnings: readonly Finding[]
} {
  const problem = watchdog.mode === 'off' ? undefined : problemOf(watchdog.device)
  if (problem === undefined) return { errors: [], warnings: [] }
  const path = '/watchdog/device'
  if (watchdog.mode === 'required') return { errors: [{ path, message: problem }], warnings: [] }
  return { errors: [], warnings: [{ path, message: `there is no watchdog: ${problem}` }] }
}
