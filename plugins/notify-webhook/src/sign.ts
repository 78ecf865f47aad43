/** The signature of a request as https://www.standardwebhooks.com writes it, so that receivers have libraries for it. */
import { createHmac } from 'node:crypto'

const keyForm = /^whsec_([A-Za-z0-9+/]+={0,2})$/
const keyBytesMin = 24
const keyBytesMax = 64

/** Undefined: the text is no key. */
export function keyOf(secret: string): Buffer | undefined {
  const [, base64] = keyForm.exec(secret) ?? []
  const key = Buffer.from(base64 ?? '', 'base64')
  return key.length >= keyBytesMin && key.length <= keyBytesMax ? key : undefined
}

/** The time is signed too: a receiver refuses what is old, so a request that somebody kept is worth nothing later. */
export function headersOf(
  key: Buffer,
  request: { readonly id: string; readonly seconds: number; readonly body: string },
): Readonly<Record<string, string>> {
  const { id, seconds, body } = request
  const signature = createHmac('sha256', key).update(`${id}.${String(seconds)}.${body}`)
  return {
    'webhook-id': id,
    'webhook-timestamp': String(seconds),
    'webhook-signature': `v1,${signature.digest('base64')}`,
  }
}
