/**
 * The ledger's clients: some workers append entries through the virtual IP, one after the other, and repeat each until it is
 * answered. Usage: ledger.js URL RECORD_FILE WORKERS PAUSE_MS
 */
import { Agent, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { type Answered, recorder, stopOnTerm } from './record.js'

/** A dead address gives no answer at all: impatience finds the new one early. */
const connectMsMax = 250
const answerMsMax = 1_000
const retryPauseMs = 20

const [url = '', file = '', workers = '4', pause = '5'] = process.argv.slice(2)
const record = recorder(file)
const stopping = stopOnTerm()

function append(agent: Agent, id: string): Promise<Answered | undefined> {
  return new Promise((resolve) => {
    const call = request(`${url}/append?id=${id}`, { method: 'POST', agent }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => (text += part))
      response.on('end', () => {
        resolve(response.statusCode === 200 ? answerIn(text) : undefined)
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
    call.end()
  })
}

function answerIn(text: string): Answered {
  // Our own server answers.
  const { id, sequence, node } = JSON.parse(text) as Required<Answered>
  return { id, sequence, node }
}

async function work(worker: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  for (let count = 1; !stopping(); count++) {
    const id = `w${worker}-${count}`
    let answered = await append(agent, id)
    while (answered === undefined && !stopping()) {
      await delay(retryPauseMs)
      answered = await append(agent, id)
    }
    if (answered !== undefined) record(answered)
    await delay(Number(pause))
  }
  agent.destroy()
}

await Promise.all(Array.from({ length: Number(workers) }, (_, worker) => work(worker)))
