/** Hands a mail to an SMTP server: the one place that knows nodemailer. */
import { readFile } from 'node:fs/promises'
import {
  done,
  type Log,
  messageOf,
  type NoticeMessage,
  type Notifier,
  refused,
  type Verdict,
} from '@holdfast/sdk'
import { createTransport, type SMTPTransportOptions } from 'nodemailer'
import { type MailSettings, portOf } from './settings.js'
import { subjectOf, textOf } from './text.js'

/** Each step of the conversation; the whole attempt has a time of its caller. */
const stepTimeoutMs = 8_000

export class Mailer implements Notifier {
  readonly name = 'mail'
  readonly secretFile: string | undefined

  constructor(
    private readonly settings: MailSettings,
    private readonly log: Log,
  ) {
    this.secretFile = settings.passwordFile
  }

  async deliver(
    message: NoticeMessage,
    secret: string | undefined,
    signal: AbortSignal,
  ): Promise<Verdict> {
    const { host, ca, from, to } = this.settings
    try {
      const authorities = ca === undefined ? undefined : await readFile(ca, 'utf8')
      const transport = createTransport(this.#options(secret, authorities))
      const close = (): void => {
        transport.close()
      }
      signal.addEventListener('abort', close, { once: true })
      try {
        const sent = await transport.sendMail({
          ...{ from, to: [...to], subject: subjectOf(message), text: textOf(message) },
          messageId: `<${message.id}@${hostOf(from)}>`,
          // Answers of machines (somebody is on holiday) are for nobody.
          headers: { 'Auto-Submitted': 'auto-generated' },
          ...{ disableFileAccess: true, disableUrlAccess: true },
        })
        this.#tellRejected(sent.rejected.map(String))
        return done
      } finally {
        signal.removeEventListener('abort', close)
        close()
      }
    } catch (thrown) {
      if (!isFailure(thrown)) throw thrown
      return refused('E_NOTIFY_MAIL', `${host}: ${messageOf(thrown)}`)
    }
  }

  /** The others have it: another attempt would reach them twice. */
  #tellRejected(addresses: readonly string[]): void {
    if (addresses.length === 0) return
    const text = `${this.settings.host} takes no mail for ${addresses.join(', ')}`
    this.log.write('warning', 'receiversRejected', { text })
  }

  #options(secret: string | undefined, ca: string | undefined): SMTPTransportOptions {
    const { host, security, user } = this.settings
    return {
      ...{ host, port: portOf(this.settings), secure: security === 'tls' },
      ...{ requireTLS: security === 'starttls', ignoreTLS: security === 'none' },
      tls: { minVersion: 'TLSv1.2', rejectUnauthorized: true, ...(ca === undefined ? {} : { ca }) },
      ...(user === undefined || secret === undefined ? {} : { auth: { user, pass: secret } }),
      ...{ connectionTimeout: stepTimeoutMs, greetingTimeout: stepTimeoutMs },
      ...{ socketTimeout: stepTimeoutMs, dnsTimeout: stepTimeoutMs },
      ...{ logger: false, debug: false },
    }
  }
}

function hostOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1)
}

/** What the network, the server or the file of authorities does has a code; a bug of ours has none. */
function isFailure(thrown: unknown): thrown is Error {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string'
}
