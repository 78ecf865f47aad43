/** Asks the network whether somebody has an address, once and quickly: it is part of the failover time. */
import { type Clock, HoldfastError, type Log } from '@holdfast/sdk'

import { type Answer, notReadyToAsk, type PlacedAddress } from './decide.js'
import type { VipKernel } from './kernel.js'

/** When answers are looked for after a question; a kernel on the LAN answers within two milliseconds. */
const looksAtMs = [5, 20, 60]
/** The second question stands in for a first one that got lost. */
const questionsMax = 2

/** The kernel's own duplicate detection for a link-local address takes at most two seconds. */
const readyWithinMs = 3_000
const readyLooksEveryMs = 50

interface Tools {
  readonly kernel: VipKernel
  readonly clock: Clock
  readonly log: Log
}

/** Returns at the first answers; when nobody has the addresses, after about 150 ms. */
export async function askForOwners(
  tools: Tools,
  addresses: readonly PlacedAddress[],
  signal: AbortSignal,
): Promise<readonly Answer[]> {
  const { kernel, clock } = tools
  await untilReadyToAsk(tools, addresses, signal)
  try {
    for (let question = 1; question <= questionsMax; question += 1) {
      const startMs = clock.monotonicMs()
      await kernel.ask(addresses, signal)
      for (const atMs of looksAtMs) {
        await pause(clock, startMs + atMs - clock.monotonicMs(), signal)
        const answers = await kernel.answers(addresses, signal)
        if (answers.length > 0) return answers
      }
    }
    return []
  } finally {
    await kernel.forget(addresses)
  }
}

async function untilReadyToAsk(
  { kernel, clock, log }: Tools,
  addresses: readonly PlacedAddress[],
  signal: AbortSignal,
): Promise<void> {
  const startMs = clock.monotonicMs()
  for (;;) {
    const names = notReadyToAsk(addresses, await kernel.interfaces(signal))
    if (names.length === 0) return
    if (clock.monotonicMs() - startMs >= readyWithinMs) {
      // Switched off by the administrator (addr_gen_mode none): waiting for ever would be worse.
      const text = `${names.join(', ')} has no IPv6 link-local address: nobody can be asked whether the address is free`
      log.write('warning', 'ownersNotAsked', { text })
      return
    }
    await pause(clock, readyLooksEveryMs, signal)
  }
}

/** Rejects with E_VIP_ABORTED when the signal comes first. */
export async function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const abort = (): void => {
      cancel()
      reject(new HoldfastError('E_VIP_ABORTED', 'taking the virtual address was given up'))
    }
    const cancel = clock.after(Math.max(0, delayMs), () => {
      signal.removeEventListener('abort', abort)
      resolve()
    })
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
  })
}
