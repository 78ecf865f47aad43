/** What an operator must know reaches real receivers: by mail with STARTTLS and with TLS, and as signed posts, also when a receiver is away for a while. */
import { createHmac, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { testCertificate } from '@holdfast/sdk/testing'
import { type Host, type Lab, type Product, until } from '@holdfast/lab'
import test from 'ava'
import { onPair, Pair, patienceMs } from './given.js'
import type { Received } from './receiver.js'

const program = fileURLToPath(new URL('./receiver.js', import.meta.url))
/** Of the client, on which the receivers run. */
const address = '10.77.0.101'
const ports = { starttls: 2_525, tls: 2_465, webhook: 2_443 }
const key = randomBytes(32)
const settings = '/etc/holdfast'

/** A receiver on a host of the lab, that can be away. */
class Receiver {
  readonly #host: Host
  readonly #kind: string
  readonly #port: number

  constructor(host: Host, kind: string, port: number) {
    this.#host = host
    this.#kind = kind
    this.#port = port
  }

  get #record(): string {
    return join(this.#host.directory, `${this.#kind}.received`)
  }

  /** Returns when it listens. `drop`: so many answers are lost. */
  async start(drop = 0): Promise<void> {
    const files = ['receiver.key', 'receiver.pem'].map((name) => join(this.#host.directory, name))
    const words = [this.#kind, String(this.#port), ...files, this.#record, `drop=${String(drop)}`]
    await this.#host.start([process.execPath, program, ...words], { log: this.#kind })
    await until(
      `${this.#kind} listens (see ${this.#host.logFile(this.#kind)})`,
      async () => {
        const { stdout } = await this.#host.run(['ss', '-Hltn', `sport = :${String(this.#port)}`])
        return stdout.trim() === '' ? undefined : true
      },
      { timeoutMs: patienceMs },
    )
  }

  async kill(): Promise<void> {
    const pattern = new RegExp(`receiver\\.js ${this.#kind} `)
    for (const pid of await this.#host.processes(pattern)) process.kill(pid, 'SIGKILL')
  }

  async received(): Promise<readonly Received[]> {
    if (!existsSync(this.#record)) return []
    const lines = (await readFile(this.#record, 'utf8')).trim().split('\n')
    return lines.map((line) => JSON.parse(line) as Received) // The receiver's own lines.
  }

  /** Waits until one of the messages says so. */
  async gets(text: RegExp): Promise<Received> {
    return await until(
      `${this.#kind} receives ${String(text)}`,
      async () => (await this.received()).find(({ body }) => text.test(body)),
      { timeoutMs: 2 * patienceMs, everyMs: 100 },
    )
  }
}

interface Posted {
  readonly data: {
    readonly node: string
    readonly dropped: number
    readonly notices: readonly { readonly sequence: number; readonly text: string }[]
  }
}

/** Before the daemons start, which read it then. */
async function configure(lab: Lab, certificateFile: string): Promise<void> {
  for (const [node, security] of [
    ['n1', 'starttls'],
    ['n2', 'tls'],
  ] as const) {
    const directory = join(lab.host(node).disk, 'etc-holdfast')
    for (const part of ['plugins', 'secrets']) {
      await mkdir(join(directory, part), { recursive: true, mode: 0o700 })
    }
    await copyFile(certificateFile, join(directory, 'receiver.pem'))
    const ca = `${settings}/receiver.pem`
    const mail = {
      ...{ host: address, port: ports[security], security, ca, user: 'holdfast' },
      ...{
        passwordFile: `${settings}/secrets/mail`,
        from: 'hf@example.org',
        to: ['ops@example.org'],
      },
    }
    const url = `https://${address}:${String(ports.webhook)}/hook`
    const webhook = { url, secretFile: `${settings}/secrets/webhook`, ca }
    const plugins = {
      notify: { messagesMax: 100 },
      'notify-mail': mail,
      'notify-webhook': webhook,
    }
    for (const [name, value] of Object.entries(plugins)) {
      await writeFile(join(directory, 'plugins', `${name}.json`), JSON.stringify(value))
    }
    const secrets = { mail: 'right', webhook: `whsec_${key.toString('base64')}` }
    for (const [name, value] of Object.entries(secrets)) {
      await writeFile(join(directory, 'secrets', name), value, { mode: 0o600 })
    }
  }
}

interface Entry {
  readonly sequence: number
  readonly event: string
  readonly fields: Readonly<Record<string, unknown>>
}

async function logOf(node: Product): Promise<readonly Entry[]> {
  // The API validates its answers against its own schema.
  const answer = (await node.tryGet('/log?limit=1000&verbose=true')) as
    { readonly entries: readonly Entry[] } | undefined
  return answer?.entries ?? []
}

/** The sequence numbers of what had to go out. */
async function changesOfRole(node: Product): Promise<readonly number[]> {
  const changes = (await logOf(node)).filter(({ event, fields }) => {
    return event === 'stateChanged' && fields['from'] !== fields['role']
  })
  return changes.map(({ sequence }) => sequence)
}

async function nothingWaits(node: Product): Promise<void> {
  await until(
    `nothing waits on ${node.host.name}`,
    async () => {
      const state = (await node.tryGet('/notify')) as
        | { readonly notifiers: readonly { readonly waiting: number; readonly attempt: number }[] }
        | undefined
      const isDone = state?.notifiers.every(({ waiting, attempt }) => waiting + attempt === 0)
      return isDone === true ? true : undefined
    },
    { timeoutMs: 2 * patienceMs, everyMs: 200 },
  )
}

test('a fail-over is told by mail and by signed posts, in order and without a gap, although a receiver is away and loses an answer', async (t) => {
  const { keyFile, certificateFile } = await testCertificate(t, `IP:${address}`)
  const lab = await Pair.lab({})
  const client = lab.host('c1')
  await copyFile(keyFile, join(client.directory, 'receiver.key'))
  await copyFile(certificateFile, join(client.directory, 'receiver.pem'))
  await configure(lab, certificateFile)
  const starttls = new Receiver(client, 'smtp-starttls', ports.starttls)
  const tls = new Receiver(client, 'smtp-tls', ports.tls)
  const hooks = new Receiver(client, 'https', ports.webhook)
  await onPair(t, lab, {}, async (pair) => {
    const { n1, n2 } = pair
    for (const receiver of [starttls, tls, hooks]) await receiver.start()
    await pair.serves()
    await starttls.gets(/module ledger: PRIM/)
    await hooks.gets(/"node":"n2".*"text":"SECOND \(/)

    await hooks.kill()
    await n1.host.powerOff()
    const mail = await tls.gets(/module ledger: ALONE/)
    t.regex(mail.body, /Subject: \[.*\/n2\] .*ALONE/)
    await until(
      'the log says that the post did not get through',
      async () =>
        (await logOf(n2)).some(({ event }) => event === 'noticesNotSent') ? true : undefined,
      { timeoutMs: patienceMs, everyMs: 200 },
    )
    await hooks.start(1)
    await hooks.gets(/"node":"n2".*"text":"ALONE \(/)
    await pair.comesBack(n1)
    await pair.is(n1, 'SECOND Ready')
    await pair.is(n2, 'PRIM Ready')
    await hooks.gets(/"node":"n1".*"text":"SECOND \(/)
    for (const node of pair.nodes) await nothingWaits(node)

    const posts = (await hooks.received()).map(({ headers, body }) => {
      const id = String(headers['webhook-id'])
      const signed = `${id}.${String(headers['webhook-timestamp'])}.${body}`
      const signature = createHmac('sha256', key).update(signed).digest('base64')
      t.is(headers['webhook-signature'], `v1,${signature}`)
      return { id, body, ...(JSON.parse(body) as Posted).data } // What the plugin posts.
    })
    const ids = posts.map(({ id }) => id)
    t.is(ids.length, new Set(ids).size + 1, 'only the message whose answer was lost came twice')
    for (const node of pair.nodes) {
      const { name } = node.host
      const once = posts.filter(
        (post, index) => post.node === name && ids.indexOf(post.id) === index,
      )
      t.deepEqual(
        once.map(({ dropped }) => dropped),
        once.map(() => 0),
      )
      const told = once.flatMap(({ notices }) => notices.map(({ sequence }) => sequence))
      t.deepEqual(
        told,
        [...told].sort((a, b) => a - b),
        `${name}: in the order of the log`,
      )
      for (const sequence of await changesOfRole(node)) {
        t.true(
          told.includes(sequence),
          `${name}: entry ${String(sequence)} of the log was not told`,
        )
      }
    }
    for (const one of [...(await starttls.received()), ...(await tls.received())]) {
      t.true(one.encrypted)
    }
    await pair.clientsGoOn()
    await pair.promisesHold(t)
  })
})
