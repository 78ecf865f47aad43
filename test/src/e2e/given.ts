/** The end to end tests' pair: the lab's, with the judgement that a test passes or fails by. */
import type { ExecutionContext } from 'ava'
import {
  differences,
  duplicatedRunners,
  type Lab,
  ledger,
  type Load,
  lostEntries,
  Pair as LabPair,
  type PairOptions,
  replicaOf,
  textOf,
} from '@holdfast/lab'

export { patienceMs } from '@holdfast/lab'

/**
 * A write every few milliseconds: enough that faults hit writes on their way, and a quarter of the processors' time that clients without
 * rest take. The campaign of faults keeps those. `HOLDFAST_PAUSE_MS` says how long each client rests after an answer.
 */
const usualLoad: Load = { workers: 4, pauseMs: Number(process.env['HOLDFAST_PAUSE_MS'] ?? 20) }

export class Pair extends LabPair {
  /** The two promises, on everything that happened: nothing acknowledged is lost, nothing ran twice; and replicas are equal. */
  async promisesHold(t: ExecutionContext): Promise<void> {
    await this.nothingIsLost(t)
    t.deepEqual(duplicatedRunners(await this.runners()), [], 'the application ran twice')
  }

  /** The first promise alone, for a world in which the second can't be kept. */
  async nothingIsLost(t: ExecutionContext): Promise<void> {
    await this.clients.stop()
    const acknowledged = this.clients.record.all
    t.true(acknowledged.length > 0, 'the clients were never answered')
    const served = await ledger.entries(this.lab.host('c1'))
    const replicas = this.nodes.map((node) => replicaOf(node.host, ledger))
    const files = await Promise.all(replicas.map((replica) => ledger.readFiles(replica)))
    const copies = [served, ...files.filter((copy) => copy !== undefined)]
    t.is(copies.length, 3)
    t.deepEqual(lostEntries(acknowledged, copies), [], 'acknowledged entries are lost')
    t.is(await differences(replicas, { timeoutMs: 5_000 }), '', 'the replicas differ')
  }
}

/** Runs a test on a pair of its own; when it fails, shows what the daemons said last. */
export async function withPair(
  t: ExecutionContext,
  options: PairOptions,
  run: (pair: Pair) => Promise<void>,
): Promise<void> {
  await onPair(t, await Pair.lab(options), options, run)
}

/** The same in a lab that is there already; it is removed afterwards. */
export async function onPair(
  t: ExecutionContext,
  lab: Lab,
  options: PairOptions,
  run: (pair: Pair) => Promise<void>,
): Promise<void> {
  t.timeout(180_000)
  const pair = new Pair(lab, { load: usualLoad, ...options })
  await pair.form(options)
  let passed = false
  try {
    await run(pair)
    passed = t.passed
  } finally {
    if (!passed) {
      for (const node of pair.nodes) {
        const text = await textOf(node.host.logFile('holdfastd'))
        t.log(`holdfastd of ${node.host.name}:\n${text.split('\n').slice(-40).join('\n')}`)
      }
    }
    await pair.end()
  }
}
