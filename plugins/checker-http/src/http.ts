/** One request: status, and the beginning of the body. No redirect is followed, no connection is kept. */
import { type IncomingMessage, request as plain } from 'node:http'
import { request as secure } from 'node:https'

/** Of what a server sends no more is read. */
export const bodyBytesMax = 64 * 1024

export interface Asking {
  readonly url: string
  readonly method: 'GET' | 'HEAD'
  readonly host: string | undefined
  readonly verify: boolean
  readonly ca: string | undefined
  /** False: the connection is closed behind the status. */
  readonly wantsBody: boolean
}

export interface Answer {
  readonly status: number
  readonly body: string
}

export function ask(asking: Asking, signal: AbortSignal): Promise<Answer> {
  const url = new URL(asking.url)
  const { host, ca } = asking
  const headers = { 'user-agent': 'holdfast', ...(host === undefined ? {} : { host }) }
  const common = { method: asking.method, headers, signal, agent: false }
  const tls = {
    rejectUnauthorized: asking.verify,
    ...(host === undefined ? {} : { servername: host.replace(/:\d+$/, '') }),
    ...(ca === undefined ? {} : { ca }),
  }
  return new Promise((resolve, reject) => {
    const answered = (response: IncomingMessage): void => {
      const { statusCode: status = 0 } = response
      const chunks: Buffer[] = []
      let bytes = 0
      const end = (): void => {
        resolve({ status, body: Buffer.concat(chunks).toString('utf8') })
        response.destroy()
      }
      response.on('error', reject)
      if (!asking.wantsBody) {
        end()
        return
      }
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk.subarray(0, bodyBytesMax - bytes))
        bytes += chunk.byteLength
        if (bytes >= bodyBytesMax) end()
      })
      response.on('end', end)
    }
    const call =
      url.protocol === 'https:'
        ? secure(url, { ...common, ...tls }, answered)
        : plain(url, common, answered)
    call.on('error', reject)
    call.end()
  })
}
