/** One attempt to hand a message to a notifier: with its secret, within its time, and always with an answer. */
import {
  type Cancel,
  type Clock,
  messageOf,
  type NoticeMessage,
  type Notifier,
  refused,
  type Verdict,
} from '@holdfast/sdk'
import { readSecret } from './secret.js'

export const attemptTimeoutMs = 15_000

export async function attempt(
  notifier: Notifier,
  message: NoticeMessage,
  clock: Pick<Clock, 'after'>,
  stopped: AbortSignal,
): Promise<Verdict> {
  const { secretFile } = notifier
  const read = secretFile === undefined ? undefined : await readSecret(secretFile)
  if (read?.ok === false) return refused('E_NOTIFY_SECRET', read.reason)
  const over = new AbortController()
  const signal = AbortSignal.any([stopped, over.signal])
  let cancel: Cancel = () => undefined
  const timeout = new Promise<Verdict>((resolve) => {
    cancel = clock.after(attemptTimeoutMs, () => {
      const reason = `no answer within ${String(attemptTimeoutMs / 1_000)} s`
      resolve(refused('E_NOTIFY_TIMEOUT', reason))
    })
  })
  try {
    const delivered = guarded(notifier, message, read?.secret, signal)
    return without(read?.secret, await Promise.race([timeout, delivered]))
  } finally {
    cancel()
    over.abort()
  }
}

/** A notifier may be somebody else's code: its bug is a refusal with a sentence. */
async function guarded(
  notifier: Notifier,
  message: NoticeMessage,
  secret: string | undefined,
  signal: AbortSignal,
): Promise<Verdict> {
  try {
    return await notifier.deliver(message, secret, signal)
  } catch (thrown) {
    return refused('E_NOTIFY_FAILED', messageOf(thrown))
  }
}

/** A server may repeat what it was told. */
function without(secret: string | undefined, verdict: Verdict): Verdict {
  if (verdict.ok || secret === undefined) return verdict
  return refused(verdict.code, verdict.reason.replaceAll(secret, '***').slice(0, 500))
}
