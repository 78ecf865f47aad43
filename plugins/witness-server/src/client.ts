/** Asks one witness server. Whatever goes wrong on the way is `unknown`, never a no. */
import { connect, type TLSSocket } from 'node:tls'
import type { Claim } from '@holdfast/sdk'
import { type ClaimRequest, LineReader, parseAnswer, requestLine, tlsOptions } from './protocol.js'
import type { Address } from './settings.js'
import type { Enrolment } from './token.js'

export interface Question {
  readonly address: Address
  readonly enrolment: Enrolment
  readonly request: ClaimRequest
}

export interface Answer {
  readonly claim: Claim
  /** Why it is unknown. */
  readonly reason: string | undefined
}

/** Above any heartbeat time-out that makes sense: the caller's signal ends it earlier as a rule. */
export const answerTimeoutMs = 10_000

export function askServer(question: Question, signal: AbortSignal): Promise<Answer> {
  const { address, enrolment, request } = question
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve({ claim: 'unknown', reason: 'the time was up before it was asked' })
      return
    }
    const socket = dial(address, enrolment)
    const answered = (claim: Claim, reason?: string): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', aborted)
      socket.destroy()
      resolve({ claim, reason })
    }
    const aborted = (): void => answered('unknown', 'no answer in time')
    const timer = setTimeout(aborted, answerTimeoutMs)
    signal.addEventListener('abort', aborted, { once: true })
    const reader = new LineReader()
    socket.on('secureConnect', () => socket.write(requestLine(request)))
    socket.on('data', (chunk: Buffer) => {
      const line = reader.push(chunk)
      if (line !== undefined) answered(parseAnswer(line), 'its answer is not understood')
    })
    socket.on('error', (error: Error) => answered('unknown', reasonOf(error)))
    socket.on('close', () => answered('unknown', 'it closed the connection without an answer'))
  })
}

/** Does a witness that has our secret answer there? Claims nothing. Returns why not, or undefined. */
export function reachServer(
  { address, enrolment }: Pick<Question, 'address' | 'enrolment'>,
  timeoutMs: number,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = dial(address, enrolment)
    const ended = (reason: string | undefined): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(reason)
    }
    const timer = setTimeout(() => ended('no answer in time'), timeoutMs)
    socket.on('secureConnect', () => ended(undefined))
    socket.on('error', (error: Error) => ended(reasonOf(error)))
    socket.on('close', () => ended('it closed the connection'))
  })
}

function dial(address: Address, enrolment: Enrolment): TLSSocket {
  return connect({
    ...tlsOptions,
    host: address.host,
    port: address.port,
    pskCallback: () => ({ psk: enrolment.secret, identity: enrolment.cluster }),
    // The only cipher proves that the other side has our secret; there is no certificate to look at.
    checkServerIdentity: () => undefined,
  })
}

function reasonOf(error: Error): string {
  const code = 'code' in error ? String(error.code) : ''
  // OpenSSL says a wrong secret and an unknown cluster in different words, and none that an operator knows.
  return /PSK|MAC|DECRYPT|HANDSHAKE/.test(code)
    ? 'it does not know the secret of the key file'
    : error.message.slice(0, 200)
}
