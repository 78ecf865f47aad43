/** Against a real etcd of Debian (package etcd-server, which tools/setup.sh installs). */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort, kill } from '@holdfast/sdk/testing'
import test, { type ExecutionContext } from 'ava'
import { findingsOf } from './settings.js'
import { claimOf } from './transaction.js'
import { EtcdWitness } from './witness.js'

const program = '/usr/bin/etcd'
const log = { write: () => undefined }

test.before((t) => {
  t.true(existsSync(program), `${program} is missing: sh tools/setup.sh test installs etcd-server`)
})

test('of two nodes that claim at the same moment etcd grants one, and it stays so after kill -9', async (t) => {
  const etcd = await Etcd.start(t)
  const [n1, n2] = [etcd.asked('n1'), etcd.asked('n2')]
  const first: string[][] = []
  for (const generation of [3, 4, 5])
    first.push(await Promise.all([n1(generation), n2(generation)]))
  for (const claims of first) t.deepEqual([...claims].sort(), ['granted', 'refused'])
  await etcd.kill()
  t.is(await n1(6), 'unknown')
  await etcd.serve()
  for (const [index, claims] of first.entries()) {
    t.deepEqual([await n1(index + 3), await n2(index + 3)], claims)
  }
  t.deepEqual([await n1(2), await n2(1)], ['refused', 'refused'])
  t.deepEqual([await n2(9), await n1(9), await n1(8)], ['granted', 'refused', 'refused'])
})

test('clusters and modules have histories of their own, also when one name begins like another', async (t) => {
  const etcd = await Etcd.start(t)
  t.is(await etcd.asked('n1')(7), 'granted')
  t.is(await etcd.asked('n2', { module: 'ledger2' })(1), 'granted')
  t.is(await etcd.asked('n2', { module: 'ledger0' })(1), 'granted')
  t.is(await etcd.asked('n2', { module: 'ledge' })(1), 'granted')
  t.is(await etcd.asked('n2', { cluster: 'two' })(1), 'granted')
  t.is(await etcd.asked('n2')(7), 'refused')
})

test('old grants are removed, and what is older than the kept ones is refused to everybody', async (t) => {
  const etcd = await Etcd.start(t)
  const [n1, n2] = [etcd.asked('n1'), etcd.asked('n2')]
  t.is(await n1(1), 'granted')
  t.is(await n1(65), 'granted')
  t.is(await n1(1), 'granted')
  t.is(await n1(66), 'granted')
  t.is(await n1(1), 'refused')
  t.is(await n2(1), 'refused')
  t.is(await n1(65), 'granted')
})

test('an endpoint that is dead or is not etcd costs the answer of none that is', async (t) => {
  const etcd = await Etcd.start(t)
  const stranger = createHttpServer((_request, response) => response.end('{"succeeded":"yes"}'))
  stranger.listen(0, '127.0.0.1')
  await once(stranger, 'listening')
  t.teardown(() => stranger.close())
  const bound = stranger.address()
  const port = typeof bound === 'object' ? bound?.port : undefined
  const others = `http://127.0.0.1:${String(await freePort())} http://127.0.0.1:${String(port)}`
  t.is(await etcd.asked('n1', { before: others })(1), 'granted')
  t.is(await etcd.asked('n2', { before: others })(1), 'refused')
  const alone = new EtcdWitness(settings(others), { log, node: 'n2' })
  t.is(await alone.claim('ledger', 2, AbortSignal.timeout(5_000)), 'unknown')
})

test('only a whole answer of etcd is an answer', (t) => {
  const value = Buffer.from('n1').toString('base64')
  const held = { responses: [{ response_range: { kvs: [{ value }] } }] }
  t.is(claimOf({ succeeded: true }, 'n1'), 'granted')
  t.is(claimOf(held, 'n1'), 'granted')
  t.is(claimOf(held, 'n2'), 'refused')
  t.is(claimOf({ responses: [{ response_range: {} }] }, 'n1'), 'refused')
  for (const broken of [undefined, null, [], 'x', {}, { succeeded: 'true' }, { responses: [{}] }]) {
    t.is(claimOf(broken, 'n1'), undefined)
  }
})

test('endpoints that could not work are refused with their place', (t) => {
  const messages = (endpoints: string): number => findingsOf(settings(endpoints)).length
  t.is(messages('http://10.0.0.9:2379 https://[fd00::1]:2379'), 0)
  for (const wrong of [
    '10.0.0.9:2379',
    'ftp://10.0.0.9',
    'http://u:p@10.0.0.9',
    'http://h/x',
    ' ',
  ]) {
    t.is(messages(wrong), 1, wrong)
  }
})

function settings(endpoints: string, cluster = 'one') {
  return { 'witness-etcd': { endpoints, cluster, prefix: '/holdfast' } }
}

class Etcd {
  readonly #directory: string
  readonly #ports: readonly [number, number]
  #process: ChildProcess | undefined

  private constructor(directory: string, ports: readonly [number, number]) {
    this.#directory = directory
    this.#ports = ports
  }

  static async start(t: ExecutionContext): Promise<Etcd> {
    t.timeout(60_000)
    const directory = await mkdtemp(join(tmpdir(), 'witness-etcd-'))
    const etcd = new Etcd(directory, [await freePort(), await freePort()])
    t.teardown(async () => {
      await etcd.kill()
      await rm(directory, { recursive: true, force: true })
    })
    await etcd.serve()
    return etcd
  }

  get endpoint(): string {
    return `http://127.0.0.1:${String(this.#ports[0])}`
  }

  async serve(): Promise<void> {
    const peer = `http://127.0.0.1:${String(this.#ports[1])}`
    const args = ['--data-dir', join(this.#directory, 'data'), '--name', 'one', '--log-level=error']
    args.push('--listen-client-urls', this.endpoint, '--advertise-client-urls', this.endpoint)
    args.push('--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer)
    args.push('--initial-cluster', `one=${peer}`)
    this.#process = spawn(program, args, { stdio: 'ignore' })
    const deadlineMs = performance.now() + 30_000
    for (;;) {
      if (await this.#isHealthy()) return
      if (performance.now() > deadlineMs) throw new Error('etcd does not answer')
      await delay(50)
    }
  }

  /** SIGKILL: nothing can be tidied up. */
  async kill(): Promise<void> {
    const child = this.#process
    this.#process = undefined
    await kill(child)
  }

  asked(
    node: string,
    about: { cluster?: string; module?: string; before?: string } = {},
  ): (generation: number) => Promise<string> {
    const endpoints = `${about.before ?? ''} ${this.endpoint}`
    const witness = new EtcdWitness(settings(endpoints, about.cluster), { log, node })
    return (generation) =>
      witness.claim(about.module ?? 'ledger', generation, AbortSignal.timeout(10_000))
  }

  async #isHealthy(): Promise<boolean> {
    try {
      const response = await fetch(`${this.endpoint}/health`, { signal: AbortSignal.timeout(500) })
      return (await response.text()).includes('"true"')
    } catch (thrown) {
      if (thrown instanceof Error) return false
      throw thrown
    }
  }
}
