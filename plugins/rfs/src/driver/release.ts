/**
 * Takes the directories away from the application: it was told to stop, so nobody may write any more.
 *
 * The rule: try to unmount; while it is in use, give those who hold it time to end, then SIGTERM, then SIGKILL;
 * what holds it after that is no ordinary process, and the connection to the kernel is ended under it: its
 * writes fail. In each case nobody writes through the mount when this has answered done.
 */
import { type Clock, type Log, type Verdict, refused } from '@holdfast/sdk'
import { describeHolders, type Holder } from './holders.js'
import { verdictOf } from './parts.js'
import { pause, type Plane } from './plane.js'

export interface ReleaseParts {
  readonly clock: Clock
  readonly log: Log
  /** E_RFS_BUSY: in use. `force` may not answer that. */
  readonly unmount: (force: boolean) => Promise<Verdict>
  readonly holders: () => Promise<readonly Holder[]>
  readonly signal: (pid: number, signal: 'SIGTERM' | 'SIGKILL') => void
}

const retryMs = 100

/** What is done when the time before it has passed and the directory is still in use. */
export const releaseSteps = [
  { afterMs: 3_000, signal: 'SIGTERM' },
  { afterMs: 5_000, signal: 'SIGKILL' },
  { afterMs: 2_000, signal: undefined },
] as const

export async function release(parts: ReleaseParts, abort: AbortSignal): Promise<Verdict> {
  for (const step of releaseSteps) {
    const verdict = await unmountWithin(parts, step.afterMs, abort)
    if (verdict !== undefined) return verdict
    if (step.signal === undefined) break
    const holders = await parts.holders()
    if (holders.length === 0) continue
    parts.log.write('warning', 'holdersSignalled', {
      signal: step.signal,
      text: `still in use after the application was stopped by ${describeHolders(holders)}`,
    })
    for (const { pid } of holders) parts.signal(pid, step.signal)
  }
  const holders = await parts.holders()
  parts.log.write('critical', 'unmountForced', {
    text: `the replicated directories are still in use${holders.length > 0 ? ` by ${describeHolders(holders)}` : ' by the kernel (a loop device, an export, another mount)'}; they are unmounted under it`,
  })
  return parts.unmount(true)
}

/**
 * Gives the follower what is still on its way, so that there is nothing to correct later. No promise depends on it:
 * a change that the follower does not have was not acknowledged to the application.
 */
export async function drain(plane: Plane, log: Log, waitMs: number): Promise<void> {
  const status = await plane.status()
  if (status?.role !== 'serving' || status.link !== 'live') return
  const verdict = await verdictOf(plane.order({ order: 'drain' }, waitMs))
  if (!verdict.ok) log.write('warning', 'notDrained', { cause: verdict.reason })
}

/** Undefined: still in use when the time is over. */
async function unmountWithin(
  parts: ReleaseParts,
  withinMs: number,
  abort: AbortSignal,
): Promise<Verdict | undefined> {
  const deadline = parts.clock.monotonicMs() + withinMs
  for (;;) {
    const verdict = await parts.unmount(false)
    if (verdict.ok || verdict.code !== 'E_RFS_BUSY') return verdict
    if (abort.aborted) return refused('E_RFS_ABORTED', 'unmounting was given up')
    if (parts.clock.monotonicMs() >= deadline) return undefined
    await pause(parts.clock, retryMs)
  }
}
