/**
 * A program that receives notices in a namespace of its own, as a real SMTP server or a real HTTPS server:
 *
 *   node receiver.js smtp-starttls|smtp-tls|https PORT KEY CERTIFICATE RECORD [drop=N]
 *
 * Each message becomes one line of JSON in RECORD before it is answered. `drop`: of the first N requests the answer is lost.
 */
import { appendFileSync, readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { SMTPServer } from 'smtp-server'

/** One line of the record. */
export interface Received {
  readonly kind: string
  readonly encrypted: boolean
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: string
}

const [, , kind = '', port = '', keyFile = '', certificateFile = '', record = '', ...words] =
  process.argv
const certificate = () => ({ key: readFileSync(keyFile), cert: readFileSync(certificateFile) })
let toDrop = Number(words.find((word) => word.startsWith('drop='))?.slice('drop='.length) ?? '0')

function receive(one: Omit<Received, 'kind'>): void {
  appendFileSync(record, `${JSON.stringify({ kind, ...one })}\n`)
}

function serveMail(): void {
  const server = new SMTPServer({
    ...{ ...certificate(), secure: kind === 'smtp-tls', authOptional: false },
    onAuth: ({ username, password }, _session, answer) => {
      if (password === 'right') answer(null, { user: username })
      else answer(new Error('wrong password'))
    },
    onData: (stream, session, answer) => {
      const parts: Buffer[] = []
      stream.on('data', (part: Buffer) => parts.push(part))
      stream.on('end', () => {
        const body = Buffer.concat(parts).toString()
        receive({ encrypted: session.secure, headers: {}, body })
        answer(null)
      })
    },
  })
  server.on('error', () => undefined) // A node that is switched off in the middle.
  server.listen(Number(port))
}

function serveHooks(): void {
  createServer(certificate(), (request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const body = Buffer.concat(parts).toString()
      receive({ encrypted: true, headers: request.headers, body })
      if (toDrop-- > 0) request.socket.destroy()
      else response.writeHead(204).end()
    })
  }).listen(Number(port))
}

if (kind === 'https') serveHooks()
else if (kind !== '') serveMail()
