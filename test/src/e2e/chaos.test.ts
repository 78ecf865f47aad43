/** 50 faults by seed on real daemons, on two pairs at once: nothing acknowledged is lost, nothing runs twice, and the pair helps itself. */
import test, { type ExecutionContext } from 'ava'
import { clockCanJump, held, type KindName, kindNames, runCampaign } from '@holdfast/chaos'
import { ledger } from '@holdfast/lab'

/** Together 50; the seeds are any. `npm run chaos -- --seed …` plays one of them alone. */
const seeds = [101, 102] as const
const faultsEach = 25
const wholeMsMax = 60_000

test('both promises hold through 50 faults, and the pair is whole again after each', async (t) => {
  t.timeout(400_000)
  const kinds = kindNames().filter((name) => clockCanJump() || !name.startsWith('clock-jump'))
  await Promise.all(seeds.map((seed) => campaign(t, seed, kinds)))
})

async function campaign(
  t: ExecutionContext,
  seed: number,
  kinds: readonly KindName[],
): Promise<void> {
  const lines: string[] = []
  const report = await runCampaign({
    application: ledger,
    seed,
    from: 1,
    faults: faultsEach,
    endMs: Infinity,
    kinds,
    wholeMsMax,
    timeout: '1000ms',
    tell: (line) => lines.push(`seed ${String(seed)} ${line}`),
  })
  if (!held(report)) t.log(lines.join('\n'))
  t.is(report.lost, 0, 'acknowledged entries are lost')
  t.is(report.doubleRuns, 0, 'the application ran twice')
  t.is(report.unhealed, 0, 'the pair did not help itself')
  t.false(report.replicasDiffer, 'the replicas differ')
  t.true(report.faults >= faultsEach)
  t.log(`seed ${String(seed)}: ${String(report.falseFailovers)} false failovers`)
}
