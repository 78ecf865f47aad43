/** Questions of tests to the API of a node, byte by byte as they are written here. */
import { request as httpRequest } from 'node:http'
import type { FakeNode } from './fake-nodes.js'

export interface Reply {
  readonly status: number
  readonly body: Record<string, unknown>
}

/** `raw` instead of `body`: text that may be no JSON. */
export function ask(
  node: FakeNode,
  method: string,
  path: string,
  body?: unknown,
  raw?: string,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const payload = raw ?? (body === undefined ? undefined : JSON.stringify(body))
    const headers = payload === undefined ? {} : { 'content-type': 'application/json' }
    const request = httpRequest(
      { socketPath: node.socket, method, path: `/api/v1${path}`, headers },
      (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as Reply['body'] })
        })
      },
    )
    request.on('error', reject)
    request.end(payload)
  })
}

/** Reads frames of an event stream until `enough` says so. */
export function frames(
  node: FakeNode,
  path: string,
  headers: Record<string, string>,
  enough: (text: string) => boolean,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { socketPath: node.socket, path: `/api/v1${path}`, headers }
    const request = httpRequest(options, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
        if (!enough(text)) return
        resolve(text)
        request.destroy()
      })
      response.on('error', () => {
        resolve(text)
      })
    })
    request.on('error', reject)
    request.end()
  })
}

/** Gives up after 30 s: the condition is then false for good, also on a busy machine. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000
  while (!condition()) {
    if (performance.now() > deadline)
      throw new Error(`not true within 30 s: ${condition.toString()}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
