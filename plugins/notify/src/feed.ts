/** Reads the log of this node, also what was written while no daemon looked, and gives each channel what it has not had. */
import type { Control, Log, LogEntry } from '@holdfast/sdk'
import { HoldfastError } from '@holdfast/sdk'
import type { Channel } from './channel.js'
import { noticeOf } from './select.js'
import type { Settings } from './settings.js'

/** The node keeps about so many entries in memory. */
const entriesMax = 4_096

export interface FeedParts {
  readonly control: Pick<Control, 'log' | 'watch'>
  readonly log: Log
  readonly channels: readonly Channel[]
  readonly settings: Settings
}

/** Returns what stops it. After that no entry is lost: the next daemon goes on behind the last one. */
export async function startFeed({
  control,
  log,
  channels,
  settings,
}: FeedParts): Promise<() => Promise<void>> {
  if (channels.length === 0) return () => Promise.resolve()
  const behind = new Map<Channel, number | undefined>()
  for (const channel of channels) behind.set(channel, await rememberedBy(channel, log))
  const give = (channel: Channel, entry: LogEntry): void => {
    const notice = noticeOf(entry, settings)
    if (notice !== undefined) channel.notice(notice)
  }
  // From here to `watch` nothing waits, so no entry is missed and none comes twice.
  const missed = control.log({ limit: entriesMax, verbose: true })
  let seen = missed.at(-1)?.sequence ?? 0
  for (const [channel, remembered] of behind) {
    if (remembered === undefined) {
      channel.remember(seen) // A new notifier does not begin with old stories.
      continue
    }
    // A log that was removed counts from 1 again: all of it is new then.
    const from = remembered > seen ? 0 : remembered
    for (const entry of missed) if (entry.sequence > from) give(channel, entry)
  }
  const cancel = control.watch((event) => {
    if (event.kind !== 'logged') return
    seen = event.entry.sequence
    for (const channel of channels) give(channel, event.entry)
  })
  return async () => {
    cancel()
    for (const channel of channels) await channel.stop(seen)
  }
}

async function rememberedBy(channel: Channel, log: Log): Promise<number | undefined> {
  try {
    return await channel.remembered()
  } catch (thrown) {
    if (!(thrown instanceof HoldfastError)) throw thrown
    const text = `begins with what happens from now on: ${thrown.message}`
    log.write('warning', 'noticesForgotten', { text, notifier: channel.notifier.name })
    return undefined
  }
}
