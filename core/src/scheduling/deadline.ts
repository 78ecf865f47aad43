/** Waiting with an end: nothing in the daemon waits for ever. */
import { type Clock, HoldfastError } from '@holdfast/sdk'

/**
 * The promise's outcome, or `E_TIMEOUT` after `timeoutMs`. The work itself goes on: its late outcome is ignored,
 * also when it is a failure, because the time-out has already been reported for it.
 */
export async function within<T>(
  clock: Pick<Clock, 'after'>,
  timeoutMs: number,
  what: string,
  promise: Promise<T>,
): Promise<T> {
  return await new Promise<T>((resolve, reject) => {
    const cancel = clock.after(timeoutMs, () => {
      reject(
        new HoldfastError('E_TIMEOUT', `${what} did not finish within ${String(timeoutMs)} ms`),
      )
    })
    promise.then(resolve, reject).finally(cancel)
  })
}
