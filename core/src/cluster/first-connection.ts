/** A node that has just joined goes on with orders that need the others: not before they can be reached. */
import type { Cancel, Clock } from '@holdfast/sdk'
import type { Network } from '../network/index.js'

/** Not for ever either: the others may have gone down meanwhile. */
const waitMs = 5_000

/** Resolves when a stream to another node is open, or the time is up. */
export async function firstConnection(
  network: Pick<Network, 'view' | 'onChange'>,
  clock: Pick<Clock, 'after'>,
): Promise<void> {
  // The view of the own node says connected as well.
  const isConnected = (): boolean => network.view().filter((one) => one.connected).length > 1
  if (isConnected()) return
  await new Promise<void>((resolve) => {
    const cancels: Cancel[] = []
    const end = (): void => {
      for (const cancel of cancels.splice(0)) cancel()
      resolve()
    }
    const look = (): void => {
      if (isConnected()) end()
    }
    cancels.push(network.onChange(look), clock.after(waitMs, end))
    look()
  })
}
