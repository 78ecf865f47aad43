/**
 * The ledger's clients: some workers append entries through the virtual IP, one after the other, and repeat each until it is
 * answered. Usage: ledger.js URL RECORD_FILE WORKERS PAUSE_MS
 */
import type { Agent } from 'node:http'
import { ask, workAll } from './http.js'
import { type Answered, recorder, stopOnTerm } from './record.js'

const [url = '', file = '', workers = '4', pause = '5'] = process.argv.slice(2)
const record = recorder(file)
const stopping = stopOnTerm()

async function append(agent: Agent, id: string): Promise<Answered | undefined> {
  const answer = await ask(agent, 'POST', `${url}/append?id=${id}`)
  return answer?.status === 200 ? answerIn(answer.text) : undefined
}

function answerIn(text: string): Answered {
  // Our own server answers.
  const { id, sequence, node } = JSON.parse(text) as Required<Answered>
  return { id, sequence, node }
}

const options = { workers: Number(workers), pauseMs: Number(pause), stopping, record }
await workAll(options, append)
