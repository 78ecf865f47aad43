/**
 * Clients of a web server that takes files: some workers put one after the other, and repeat each until it is taken. The node that took
 * it says so in the header `x-node`. Usage: files.js URL RECORD_FILE WORKERS PAUSE_MS
 */
import type { Agent } from 'node:http'
import { ask, workAll } from './http.js'
import { type Answered, recorder, stopOnTerm } from './record.js'

const [url = '', file = '', workers = '4', pause = '5'] = process.argv.slice(2)

async function put(agent: Agent, id: string): Promise<Answered | undefined> {
  const answer = await ask(agent, 'PUT', `${url}/${id}`, `${id}\n`)
  const node = answer?.headers['x-node']
  // Created, or there already: a repeated one changes nothing.
  return [201, 204].includes(answer?.status ?? 0) && typeof node === 'string'
    ? { id, node }
    : undefined
}

const record = recorder(file)
await workAll(
  { workers: Number(workers), pauseMs: Number(pause), stopping: stopOnTerm(), record },
  put,
)
