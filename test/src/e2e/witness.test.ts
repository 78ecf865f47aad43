/** A third machine decides who goes on when the nodes lose each other: exactly one, and nothing acknowledged is lost. */
import test, { type ExecutionContext } from 'ava'
import { monotonicMs, type PairOptions, WitnessServer } from '@holdfast/lab'
import { onPair, Pair } from './given.js'

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

/** A pair that serves, and its witness on a host of its own. */
async function withWitness(
  t: ExecutionContext,
  run: (witnessed: Witnessed) => Promise<void>,
): Promise<void> {
  const options: PairOptions = {
    timeout: '1000ms',
    isolation: 'wait',
    lab: { clients: ['c1', 'w1'] },
  }
  const lab = await Pair.lab(options)
  const witness = new WitnessServer(lab.host('w1'))
  const token = await witness.addCluster('e2e')
  const edit = (xml: string): string => xml.replace('<heart ', `${witness.element}<heart `)
  const prepare = `install -m 600 ${token} /etc/holdfast/witness.key`
  await onPair(t, lab, { ...options, edit, prepare }, async (pair) => {
    await witness.start()
    await pair.serves()
    await run({ pair, newest: () => witness.newest() })
  })
}
