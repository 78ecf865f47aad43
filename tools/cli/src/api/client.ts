/** Questions to the API of this node, over its Unix socket. */
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { HoldfastError } from '@holdfast/sdk'
import { cliErrors } from '../exit.js'

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

export interface Question {
  readonly query?: Readonly<Record<string, string | undefined>>
  readonly body?: unknown
  /** Ask this node of the cluster instead. */
  readonly node?: string | undefined
  readonly timeoutMs?: number
}

const prefix = '/api/v1'
const inputRefused = 'E_API_INPUT_INVALID'
const readTimeoutMs = 30_000
/** Beyond the limit of the node itself, which works in two phases on all nodes of the cluster. */
const changeTimeoutMs = 180_000
const answerCharactersMax = 16 << 20
/** The node sends a sign of life every 15 s. */
const streamSilenceMs = 45_000

/** HOLDFAST_ROOT moves it together with all other files of a node. */
export function socketPathFrom(environment: Readonly<Record<string, string | undefined>>): string {
  const root = environment['HOLDFAST_ROOT'] ?? '/'
  return environment['HOLDFAST_SOCKET'] ?? join(root, 'run/holdfast/api.sock')
}

export class Client {
  readonly #socketPath: string

  constructor(socketPath: string) {
    this.#socketPath = socketPath
  }

  get<T>(path: string, question: Question = {}): Promise<T> {
    return this.ask<T>('GET', path, question)
  }

  /** `T` is what the node promises in its published document; a refusal is thrown as HoldfastError. */
  async ask<T>(method: Method, path: string, question: Question = {}): Promise<T> {
    const timeoutMs = question.timeoutMs ?? (method === 'GET' ? readTimeoutMs : changeTimeoutMs)
    const signal = AbortSignal.timeout(timeoutMs)
    const response = await this.#send(method, path, question, signal)
    const text = await readText(response, signal)
    const answer = parse(text)
    if ((response.statusCode ?? 500) >= 400) throw refusalOf(answer)
    return answer as T // The document of the API promises it; both sides are of one version.
  }

  /** An open event stream; it ends when `signal` says so. */
  async stream(
    path: string,
    question: Question,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const response = await this.#send('GET', path, question, signal, headers)
    if (response.statusCode !== 200) throw refusalOf(parse(await readText(response, signal)))
    response.socket.setTimeout(streamSilenceMs, () => response.destroy())
    return response
  }

  #send(
    method: Method,
    path: string,
    question: Question,
    signal: AbortSignal,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<IncomingMessage> {
    const payload = question.body === undefined ? undefined : JSON.stringify(question.body)
    const type = payload === undefined ? {} : { 'content-type': 'application/json' }
    return new Promise((resolve, reject) => {
      const request = httpRequest({
        socketPath: this.#socketPath,
        agent: false,
        method,
        path: addressOf(path, question),
        headers: { ...headers, ...type },
        signal,
      })
      request.once('response', resolve)
      request.on('error', (error: NodeJS.ErrnoException) => {
        reject(failureOf(error, this.#socketPath))
      })
      request.end(payload)
    })
  }
}

function addressOf(path: string, question: Question): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries({ ...question.query, node: question.node })) {
    if (value !== undefined) query.set(name, value)
  }
  const text = query.toString()
  return `${prefix}${path}${text === '' ? '' : `?${text}`}`
}

function readText(response: IncomingMessage, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    response.setEncoding('utf8')
    response.on('data', (chunk: string) => {
      text += chunk
      if (text.length > answerCharactersMax) response.destroy(new Error('the answer is too large'))
    })
    response.once('end', () => {
      resolve(text)
    })
    response.once('error', (error: NodeJS.ErrnoException) => {
      reject(signal.aborted ? timeoutError() : lostError(error))
    })
  })
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new HoldfastError(cliErrors.answer, 'what answers on the socket is not holdfastd', {
      hint: 'check HOLDFAST_SOCKET and HOLDFAST_ROOT',
      cause: error,
    })
  }
}

function refusalOf(answer: unknown): HoldfastError {
  const { code, message, hint } = (answer ?? {}) as Partial<Record<string, unknown>> // Checked below.
  const text = typeof message === 'string' ? message : 'the node refused without a reason'
  if (code === inputRefused) {
    // The place in a request and its document say nothing to whoever typed a command.
    return new HoldfastError(code, text.replace(/(^|; )(body|params|query)\/?/g, '$1'), {
      hint: 'nothing was changed; the same command with --help says what it takes',
    })
  }
  return new HoldfastError(
    typeof code === 'string' ? code : cliErrors.answer,
    text,
    typeof hint === 'string' ? { hint } : {},
  )
}

function failureOf(error: NodeJS.ErrnoException, socketPath: string): HoldfastError {
  if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') {
    return new HoldfastError(cliErrors.noDaemon, 'holdfastd is not running', {
      hint: 'systemctl start holdfastd',
    })
  }
  if (error.code === 'EACCES' || error.code === 'EPERM') {
    return new HoldfastError(cliErrors.access, `you may not use ${socketPath}`, {
      hint: 'be root, or a member of the group holdfast',
    })
  }
  if (error.name === 'AbortError' || error.name === 'TimeoutError') return timeoutError()
  return lostError(error)
}

function timeoutError(): HoldfastError {
  return new HoldfastError(cliErrors.timeout, 'holdfastd did not answer in time', {
    hint: 'the order may still be carried out: look with `holdfast state` and `holdfast log`',
  })
}

function lostError(error: Error): HoldfastError {
  return new HoldfastError(cliErrors.lost, `the connection to holdfastd broke: ${error.message}`, {
    hint: 'the order may have been carried out: look with `holdfast state` and `holdfast log`',
  })
}
