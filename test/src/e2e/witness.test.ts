/** A third machine decides who goes on when the nodes lose each other: exactly one, and nothing acknowledged is lost. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { monotonicMs } from '@holdfast/lab'
import { type Pair, withPair } from './given.js'

const program = fileURLToPath(
  new URL('../../../plugins/witness-server/dist/server/main.js', import.meta.url),
)
const patienceMs = 10_000
/** The client's host is the third machine: it is on the first LAN, and its address is the lab's first client's. */
const witnessAddress = '10.77.0.101'

interface Witnessed {
  readonly pair: Pair
  /** What the witness granted last: `1:n1`; undefined: nothing yet. */
  readonly newest: () => Promise<string | undefined>
}

test('when only the cables between the nodes are cut the primary goes on, the other waits, and both are whole again afterwards', async (t) => {
  await withWitness(t, async ({ pair, newest }) => {
    t.is(await newest(), undefined)
    await pair.separate('default')
    await pair.is(pair.n1, 'ALONE Ready')
    await pair.clientsGoOn()
    await pair.is(pair.n2, 'WAIT NotReady')
    t.regex((await newest()) ?? '', /:n1$/)
    await pair.lab.network.endLosses()
    await pair.is(pair.n2, 'SECOND Ready')
    await pair.is(pair.n1, 'PRIM Ready')
    await pair.clientsGoOn()
    await pair.promisesHold(t)
  })
})

test('when the primary is cut off from everything the other one goes on, and what was acknowledged is on both afterwards', async (t) => {
  await withWitness(t, async ({ pair, newest }) => {
    const cutMs = monotonicMs()
    await pair.lab.network.cut({ host: 'n1' })
    await pair.answeredBy(pair.n2, cutMs)
    await pair.is(pair.n2, 'ALONE Ready')
    t.regex((await newest()) ?? '', /:n2$/)
    await pair.clientsGoOn()
    await pair.lab.network.heal({ host: 'n1' })
    await pair.is(pair.n1, 'SECOND Ready')
    await pair.is(pair.n2, 'PRIM Ready')
    await pair.clientsGoOn()
    // n1's application could not be reached and could not write, but only a watchdog would have ended it at once.
    await pair.nothingIsLost(t)
  })
})

test('when the primary dies the witness lets the other one go on', async (t) => {
  await withWitness(t, async ({ pair }) => {
    const offMs = await pair.n1.host.powerOff()
    await pair.answeredBy(pair.n2, offMs)
    await pair.clientsGoOn()
    await pair.comesBack(pair.n1)
    await pair.is(pair.n1, 'SECOND Ready')
    await pair.is(pair.n2, 'PRIM Ready')
    await pair.promisesHold(t)
  })
})

/** A pair that serves, with `isolation` left to the witness, and the witness on the client's host. */
async function withWitness(
  t: ExecutionContext,
  run: (witnessed: Witnessed) => Promise<void>,
): Promise<void> {
  // Not below a directory that each host covers with its own.
  const directory = await mkdtemp('/var/tmp/holdfast-e2e-witness-')
  const order = async (...words: string[]): Promise<string> => {
    const args = [program, ...words, '--state', join(directory, 'state')]
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: patienceMs })
    return stdout
  }
  const edit = (xml: string): string =>
    xml.replace('<heart ', `<witness><server addr="${witnessAddress}"/></witness><heart `)
  try {
    const token = join(directory, 'token')
    await writeFile(token, await order('add', 'e2e'), { mode: 0o600 })
    const prepare = `install -m 600 ${token} /etc/holdfast/witness.key`
    await withPair(t, { timeout: '1000ms', edit, prepare }, async (pair) => {
      const serve = [process.execPath, program, 'serve', '--state', join(directory, 'state')]
      await pair.lab.host('c1').start(serve, { log: 'witness' })
      await pair.serves()
      const newest = async (): Promise<string | undefined> =>
        /^ {2}\S+ (\S+)$/m.exec(await order('list'))?.[1]
      await run({ pair, newest })
    })
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
