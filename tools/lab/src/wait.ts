/** Waiting for a condition, never for a fixed time: every wait has a deadline and says what it waited for. */
import { setTimeout as delay } from 'node:timers/promises'
import { LabError } from './command.js'

/** Milliseconds of the machine's monotonic clock: the same for every process of every node of the lab. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/** Asks `probe` until it answers something else than undefined. Past the deadline it throws what it waited for. */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined> | T | undefined,
  options: { readonly timeoutMs: number; readonly everyMs?: number },
): Promise<T> {
  const deadline = monotonicMs() + options.timeoutMs
  for (;;) {
    const answer = await probe()
    if (answer !== undefined) return answer
    if (monotonicMs() > deadline) {
      throw new LabError(`${what}: not within ${options.timeoutMs} ms`)
    }
    await delay(options.everyMs ?? 20)
  }
}
