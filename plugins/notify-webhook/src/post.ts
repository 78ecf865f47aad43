/** One HTTPS request whose answer is short. Follows no redirection: the body is for the one who is configured. */
import { request } from 'node:https'

export interface PostRequest {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** PEM; undefined: the authorities of the system. */
  readonly ca: string | undefined
  readonly signal: AbortSignal
}

export interface Answer {
  readonly status: number
  /** Its beginning. */
  readonly text: string
}

const charactersMax = 200

export function post({ url, headers, body, ca, signal }: PostRequest): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, {
      method: 'POST',
      headers: { ...headers, 'content-length': String(Buffer.byteLength(body)) },
      agent: false,
      minVersion: 'TLSv1.2',
      rejectUnauthorized: true,
      ...(ca === undefined ? {} : { ca }),
      signal,
    })
    outgoing.on('error', reject)
    outgoing.on('response', (response) => {
      let text = ''
      const finish = (): void => {
        resolve({ status: response.statusCode ?? 0, text: text.slice(0, charactersMax) })
        outgoing.destroy()
      }
      response.setEncoding('utf8')
      response.on('data', (part: string) => {
        text += part
        if (text.length >= charactersMax) finish()
      })
      response.on('end', finish)
      response.on('error', reject)
    })
    outgoing.end(body)
  })
}
