/** Posts a message as signed JSON. */
import { readFile } from 'node:fs/promises'
import {
  type Clock,
  done,
  messageOf,
  type NoticeMessage,
  type Notifier,
  refused,
  type Verdict,
} from '@holdfast/sdk'
import { post } from './post.js'
import type { Settings } from './settings.js'
import { headersOf, keyOf } from './sign.js'

export class Webhook implements Notifier {
  readonly name = 'webhook'
  readonly secretFile: string

  constructor(
    private readonly settings: Required<Pick<Settings, 'url' | 'secretFile'>> & Settings,
    private readonly clock: Pick<Clock, 'wallMs'>,
  ) {
    this.secretFile = settings.secretFile
  }

  async deliver(
    message: NoticeMessage,
    secret: string | undefined,
    signal: AbortSignal,
  ): Promise<Verdict> {
    const { url, ca } = this.settings
    const key = keyOf(secret ?? '')
    if (key === undefined) return refused('E_NOTIFY_KEY', keyText(this.secretFile))
    const { id, ...data } = message
    const nowMs = this.clock.wallMs()
    const at = new Date(nowMs).toISOString()
    const body = JSON.stringify({ type: 'holdfast.notices', timestamp: at, data })
    const signed = headersOf(key, { id, seconds: Math.floor(nowMs / 1_000), body })
    const headers = { ...signed, 'content-type': 'application/json', 'user-agent': 'holdfast' }
    try {
      const authorities = ca === undefined ? undefined : await readFile(ca, 'utf8')
      const { status, text } = await post({ url, headers, body, ca: authorities, signal })
      if (status >= 200 && status < 300) return done
      return refused('E_NOTIFY_ANSWER', `${hostOf(url)} answers ${String(status)}: ${text}`)
    } catch (thrown) {
      if (!isFailure(thrown)) throw thrown
      return refused('E_NOTIFY_WEBHOOK', `${hostOf(url)}: ${messageOf(thrown)}`)
    }
  }
}

/** Paths of web hooks often are secrets themselves. */
function hostOf(url: string): string {
  return new URL(url).host
}

function keyText(path: string): string {
  return `${path} is no key: write whsec_ and 24 to 64 random bytes in base64, in one line`
}

/** What the network, the server or the file of authorities does has a code; a bug of ours has none. */
function isFailure(thrown: unknown): thrown is Error {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string'
}
