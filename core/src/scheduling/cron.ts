/** The one door to node-cron: schedules that operators write, in local time. */
import { type Cancel, HoldfastError } from '@holdfast/sdk'
import { schedule, validate } from 'node-cron'

/** Throws `E_CONFIG_CRON` when the expression is malformed. `call` must not throw. */
export function scheduleCron(expression: string, call: () => void): Cancel {
  if (expression.length > 256 || !validate(expression)) {
    throw new HoldfastError('E_CONFIG_CRON', `"${expression}" is not a cron expression`, {
      hint: 'write minute, hour, day of month, month and day of week, for example "30 2 * * 1"',
    })
  }
  const task = schedule(expression, call, { noOverlap: true, suppressMissedWarning: true })
  return () => {
    void task.destroy()
  }
}
