/** Workers that ask a server over HTTP, one after the other, and repeat each question until it is answered. */
import { Agent, type IncomingHttpHeaders, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type { Answered } from './record.js'

/** A dead address gives no answer at all: impatience finds the new one early. */
const connectMsMax = 250
const answerMsMax = 1_000
const retryPauseMs = 20

export interface HttpAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

/** Undefined: no whole answer, or not in time. */
export function ask(
  agent: Agent,
  method: string,
  url: string,
  body = '',
): Promise<HttpAnswer | undefined> {
  return new Promise((resolve) => {
    const call = request(url, { method, agent }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => (text += part))
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text })
      })
      response.on('error', () => {
        resolve(undefined)
      })
    })
    const answerTimer = setTimeout(() => call.destroy(), answerMsMax)
    call.on('socket', (socket) => {
      if (!socket.connecting) return
      const connectTimer = setTimeout(() => call.destroy(), connectMsMax)
      socket.once('connect', () => {
        clearTimeout(connectTimer)
      })
      socket.once('close', () => {
        clearTimeout(connectTimer)
      })
    })
    // Refused, reset or silent: whatever it was, the entry is not acknowledged and will be sent again.
    call.on('error', () => {
      resolve(undefined)
    })
    call.on('close', () => {
      clearTimeout(answerTimer)
      resolve(undefined)
    })
    call.end(body)
  })
}

export interface Work {
  readonly workers: number
  readonly pauseMs: number
  readonly stopping: () => boolean
  readonly record: (answered: Answered) => void
}

/** Returns when all workers have ended what they began. `write` gives undefined for what is to be repeated. */
export async function workAll(
  work: Work,
  write: (agent: Agent, id: string) => Promise<Answered | undefined>,
): Promise<void> {
  const { workers, pauseMs, stopping, record } = work
  const worker = async (_: unknown, number: number): Promise<void> => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    for (let count = 1; !stopping(); count++) {
      const id = `w${String(number)}-${String(count)}`
      let answered = await write(agent, id)
      while (answered === undefined && !stopping()) {
        await delay(retryPauseMs)
        answered = await write(agent, id)
      }
      if (answered !== undefined) record(answered)
      await delay(pauseMs)
    }
    agent.destroy()
  }
  await Promise.all(Array.from({ length: workers }, worker))
}
