/** A pair with a witness on a host of its own. */
import type { ExecutionContext } from 'ava'
import { type PairOptions, WitnessServer } from '@holdfast/lab'
import { onPair, Pair } from './given.js'

export interface Witnessed {
  readonly pair: Pair
  /** What the witness granted last: `1:n1`; undefined: nothing yet. */
  readonly newest: () => Promise<string | undefined>
}

/** Runs a test on a pair that serves. */
export async function withWitness(
  t: ExecutionContext,
  run: (witnessed: Witnessed) => Promise<void>,
  given: Pick<PairOptions, 'edit' | 'lab' | 'scripts'> = {},
): Promise<void> {
  const lab = { ...given.lab, clients: ['c1', 'w1'] }
  const options: PairOptions = { ...given, timeout: '1000ms', isolation: 'wait', lab }
  const made = await Pair.lab(options)
  const witness = new WitnessServer(made.host('w1'))
  const token = await witness.addCluster('e2e')
  const edit = (xml: string): string =>
    (given.edit ?? String)(xml).replace('<heart ', `${witness.element}<heart `)
  const prepare = `install -m 600 ${token} /etc/holdfast/witness.key`
  await onPair(t, made, { ...options, edit, prepare }, async (pair) => {
    await witness.start()
    await pair.serves()
    await run({ pair, newest: () => witness.newest() })
  })
}
