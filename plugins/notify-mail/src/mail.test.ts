/** Against a real SMTP server with TLS, and a certificate that openssl makes for this run. */
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { type Notice, type NoticeMessage, notifier, type Verdict } from '@holdfast/sdk'
import { startPlugin, testCertificate } from '@holdfast/sdk/testing'
import test, { type ExecutionContext } from 'ava'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import { plugin } from './index.js'
import { subjectOf } from './text.js'

const notice: Notice = {
  ...{ sequence: 7, atMs: 0, level: 'event', module: 'web', plugin: 'mirror' },
  ...{ event: 'stateChanged', text: 'ALONE (Ready): n2 is silent', hint: 'repair n2' },
}
const message: NoticeMessage = {
  ...{ id: 'n1-8-0', cluster: 'c1', node: 'n1', dropped: 3 },
  notices: [notice, { ...notice, sequence: 8, level: 'critical', text: 'the data plane hung' }],
}
const never = new AbortController().signal

for (const security of ['starttls', 'tls'] as const) {
  test(`a mail arrives by ${security}, logged in, with node, module, cause, hint and time`, async (t) => {
    const server = await Server.start(t, { secure: security === 'tls' })
    const verdict = await server.deliver({ security, ca: server.ca, ...user }, 'right')
    t.deepEqual(verdict, { ok: true })
    const [mail] = server.mails
    t.deepEqual(mail?.to, ['ops@example.org', 'boss@example.org'])
    t.true(mail?.encrypted)
    t.regex(
      mail?.text ?? '',
      /Subject: \[c1\/n1\] CRITICAL module web: the data plane hung \(and 1\s+more\)/,
    )
    t.regex(mail?.text ?? '', /Message-ID: <n1-8-0@example\.org>/i)
    t.regex(
      mail?.text ?? '',
      /1970-01-01T00:00:00\.000Z +event +module web: ALONE \(Ready\): n2 is silent/,
    )
    t.regex(mail?.text ?? '', /what to do: repair n2/)
    t.regex(mail?.text ?? '', /3 older ones/)
  })
}

test('a wrong password, an unknown authority and a server without TLS are refusals, and say nothing in the clear', async (t) => {
  const server = await Server.start(t, { secure: false })
  const starttls = { security: 'starttls', ca: server.ca, ...user }
  const wrong = await server.deliver(starttls, 'hunter22')
  t.regex(reasonOf(wrong), /535|authentication/i)
  t.notRegex(reasonOf(wrong), /hunter22/)
  const unknown = { security: 'starttls', ...user }
  t.regex(reasonOf(await server.deliver(unknown, 'right')), /self-signed certificate/)
  t.regex(reasonOf(await server.deliver({ ...starttls, ca: '/nowhere' }, 'right')), /ENOENT/)
  const clear = await Server.start(t, {
    secure: false,
    hideSTARTTLS: true,
    disabledCommands: ['STARTTLS'],
  })
  t.false((await clear.deliver({ ...starttls, ca: clear.ca }, 'right')).ok)
  t.deepEqual([...server.mails, ...clear.mails, ...server.logins, ...clear.logins], ['hunter22'])
})

test('a receiver that the server does not take is told, and the others are not asked twice', async (t) => {
  const server = await Server.start(t, {
    secure: false,
    onRcptTo: ({ address }, _session, answer) => {
      answer(address.startsWith('boss') ? new Error('no such person') : undefined)
    },
  })
  const host = await server.plugin({ security: 'none' })
  const verdict = await host.contribution(notifier, 'mail').deliver(message, undefined, never)
  t.deepEqual(verdict, { ok: true })
  t.deepEqual(
    server.mails.map(({ to }) => to),
    [['ops@example.org']],
  )
  t.regex(String(host.log.lines[0]?.fields['text']), /boss@example\.org/)
})

test('a password in the clear is refused, and without a server there is no notifier', async (t) => {
  const settings = { host: 'h', from: 'a@b.c', to: ['a@b.c'], ...user, security: 'none' }
  await t.throwsAsync(startPlugin(plugin, { config: settings }), { message: /in the clear/ })
  const host = await startPlugin(plugin, { config: { security: 'starttls' } })
  t.is(host.contributions(notifier).size, 0)
  await host.stop()
})

test('a subject stays short and keeps its tail', (t) => {
  const long = { ...message, notices: [{ ...notice, text: 'x'.repeat(1_000) }, notice] }
  const subject = subjectOf(long)
  t.true(subject.length <= 150)
  t.true(subject.endsWith('… (and 1 more)'))
})

const user = { user: 'holdfast', passwordFile: '/unused: the secret is given' }

function reasonOf(verdict: Verdict): string {
  return verdict.ok ? 'it was delivered' : verdict.reason
}

interface Mail {
  readonly to: readonly string[]
  readonly text: string
  readonly encrypted: boolean
}

class Server {
  readonly mails: Mail[] = []
  /** Passwords that were wrong. */
  readonly logins: string[] = []

  private constructor(
    private readonly t: ExecutionContext,
    private readonly port: () => number,
    readonly ca: string,
  ) {}

  static async start(t: ExecutionContext, options: SMTPServerOptions): Promise<Server> {
    const { keyFile, certificateFile } = await testCertificate(t)
    const server = new Server(t, () => (smtp.server.address() as AddressInfo).port, certificateFile)
    const smtp: SMTPServer = new SMTPServer({
      ...{ key: readFileSync(keyFile), cert: readFileSync(certificateFile), authOptional: true },
      onAuth: ({ username, password }, _session, answer) => {
        const isRight = password === 'right'
        if (!isRight) server.logins.push(password ?? '')
        if (isRight) answer(null, { user: username })
        else answer(new Error('wrong password'))
      },
      onData: (stream, session, answer) => {
        const parts: Buffer[] = []
        stream.on('data', (part: Buffer) => parts.push(part))
        stream.on('end', () => {
          const to = session.envelope.rcptTo.map(({ address }) => address)
          const text = Buffer.concat(parts).toString()
          server.mails.push({ to, text, encrypted: session.secure })
          answer(null)
        })
      },
      ...options,
    })
    smtp.on('error', () => undefined) // A client that does not trust it hangs up.
    await new Promise<void>((resolve) => smtp.listen(0, '127.0.0.1', () => resolve()))
    t.teardown(() => new Promise<void>((resolve) => smtp.close(() => resolve())))
    return server
  }

  async plugin(settings: object) {
    const addresses = { from: 'holdfast@example.org', to: ['ops@example.org', 'boss@example.org'] }
    const config = { host: '127.0.0.1', port: this.port(), ...addresses, ...settings }
    const host = await startPlugin(plugin, { config })
    this.t.teardown(() => host.stop())
    return host
  }

  async deliver(settings: object, secret: string): Promise<Verdict> {
    const host = await this.plugin(settings)
    return await host.contribution(notifier, 'mail').deliver(message, secret, never)
  }
}
