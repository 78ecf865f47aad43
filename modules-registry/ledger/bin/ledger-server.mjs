#!/usr/bin/env node
/**
 * A ledger over HTTP, as small as an honest application can be: POST /append answers only when the entry is on disk.
 * It has no dependency and needs no build. Usage: ledger-server.mjs PID_FILE, with LEDGER_DIRECTORY, LEDGER_PORT
 * and LEDGER_EVIDENCE in the environment.
 *
 *   POST /append?id=ID   appends once for each id: a repeated id gets the answer of the first time
 *   GET  /entries        every entry, one line each: SEQUENCE ID
 *   GET  /health         who serves
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import { open, readFile, rename, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { hostname } from 'node:os'
import { join } from 'node:path'

const idPattern = /^[A-Za-z0-9._-]{1,64}$/
const entriesPerWriteMax = 256
const waitingMax = 4096
const aliveEveryMs = 20

/** The file of entries: groups what waits into one write and one fsync, and answers after that. */
class Ledger {
  static async open(path) {
    const ledger = new Ledger()
    ledger.file = await open(path, 'a+')
    ledger.sequenceOf = new Map()
    ledger.waiting = []
    ledger.writing = false
    const text = await readFile(path, 'utf8')
    const whole = text.slice(0, text.lastIndexOf('\n') + 1)
    // A torn last line was never acknowledged.
    if (whole.length < text.length) await ledger.file.truncate(Buffer.byteLength(whole))
    for (const line of whole.split('\n')) {
      const [sequence, id] = line.split(' ')
      if (id !== undefined) ledger.sequenceOf.set(id, Number(sequence))
    }
    ledger.last = ledger.sequenceOf.size
    return ledger
  }

  /** Resolves to the sequence number when the entry is on disk; undefined: too many are waiting. */
  append(id) {
    if (this.waiting.length >= waitingMax) return Promise.resolve(undefined)
    return new Promise((resolve, reject) => {
      this.waiting.push({ id, resolve, reject })
      if (!this.writing) void this.writeAll()
    })
  }

  async writeAll() {
    this.writing = true
    while (this.waiting.length > 0) {
      const group = this.waiting.splice(0, entriesPerWriteMax)
      const fresh = new Map()
      for (const { id } of group) {
        if (!this.sequenceOf.has(id) && !fresh.has(id)) fresh.set(id, this.last + fresh.size + 1)
      }
      try {
        if (fresh.size > 0) {
          const lines = [...fresh].map(([id, sequence]) => `${sequence} ${id}\n`).join('')
          await this.file.appendFile(lines)
          await this.file.datasync()
        }
      } catch (error) {
        // What is on disk is unknown now. The next start reads it; this process must not guess.
        console.error(error)
        process.exit(1)
      }
      for (const [id, sequence] of fresh) this.sequenceOf.set(id, sequence)
      this.last += fresh.size
      for (const { id, resolve } of group) resolve(this.sequenceOf.get(id))
    }
    this.writing = false
  }

  entries() {
    return [...this.sequenceOf].map(([id, sequence]) => `${sequence} ${id}\n`).join('')
  }
}

/** Proof of life on the machine's monotonic clock: from outside, two runners at one instant can be seen in it. */
function startEvidence(directory) {
  const file = openSync(join(directory, 'evidence.log'), 'a')
  const boot = Math.random().toString(36).slice(2)
  const note = (what) =>
    writeSync(file, `${process.hrtime.bigint()} ${what} ${process.pid} ${boot}\n`)
  note('start')
  const timer = setInterval(() => note('alive'), aliveEveryMs)
  return {
    boot,
    end: () => {
      clearInterval(timer)
      note('end')
      closeSync(file)
    },
  }
}

function answer(response, status, body) {
  response.writeHead(status, {
    'content-type': typeof body === 'string' ? 'text/plain' : 'application/json',
  })
  response.end(typeof body === 'string' ? body : JSON.stringify(body))
}

function listener(ledger, evidence) {
  const who = { node: hostname(), pid: process.pid, boot: evidence.boot }
  return (request, response) => {
    const url = new URL(request.url ?? '/', 'http://ledger')
    request.resume()
    if (request.method === 'GET' && url.pathname === '/health') {
      return answer(response, 200, { ...who, entries: ledger.last })
    }
    if (request.method === 'GET' && url.pathname === '/entries') {
      return answer(response, 200, ledger.entries())
    }
    if (request.method === 'POST' && url.pathname === '/append') {
      const id = url.searchParams.get('id') ?? ''
      if (!idPattern.test(id)) return answer(response, 400, { error: `id must match ${idPattern}` })
      void ledger.append(id).then((sequence) => {
        if (sequence === undefined) answer(response, 503, { error: 'too many appends are waiting' })
        else answer(response, 200, { ...who, id, sequence })
      })
      return
    }
    answer(response, 404, { error: 'POST /append?id=ID, GET /entries or GET /health' })
  }
}

function setting(name) {
  const value = process.env[name]
  if (value === undefined || value === '') {
    console.error(`ledger-server: the environment variable ${name} is missing`)
    process.exit(2)
  }
  return value
}

const pidFile = process.argv[2]
if (pidFile === undefined) {
  console.error('usage: ledger-server.mjs PID_FILE')
  process.exit(2)
}
const evidence = startEvidence(setting('LEDGER_EVIDENCE'))
const ledger = await Ledger.open(join(setting('LEDGER_DIRECTORY'), 'ledger.txt'))
const server = createServer({ keepAliveTimeout: 60_000 }, listener(ledger, evidence))
server.on('error', (error) => {
  console.error(error.message)
  process.exit(1)
})
process.on('SIGTERM', () => {
  evidence.end()
  process.exit(0)
})
server.listen(Number(setting('LEDGER_PORT')), async () => {
  await writeFile(`${pidFile}.new`, `${process.pid}\n`)
  await rename(`${pidFile}.new`, pidFile)
  console.log(`${new Date().toISOString()} serves ${ledger.last} entries, process ${process.pid}`)
})
