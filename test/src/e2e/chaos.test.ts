/** 50 faults by seed on real daemons, on two pairs at once: nothing acknowledged is lost, nothing runs twice, and the pair helps itself. */
import test, { type ExecutionContext } from 'ava'
import {
  clockCanJump,
  held,
  History,
  kindNames,
  runCampaign,
  type Times,
  timesOf,
} from '@holdfast/chaos'
import { ledger } from '@holdfast/lab'

/**
 * Together 50; the seeds are any. The quick pair has no watchdog, the slow one does. `npm run chaos -- --seed … --timeout …
 * --watchdog …` plays one of them alone.
 */
const campaigns = [
  { seed: 101, faults: 38, times: timesOf(1_000, undefined) },
  { seed: 102, faults: 12, times: timesOf(3_000, 8) },
] as const
const wholeMsMax = 60_000

test('both promises hold through 50 faults, and the pair is whole again after each', async (t) => {
  t.timeout(400_000)
  await Promise.all(campaigns.map((campaign) => play(t, campaign)))
})

async function play(
  t: ExecutionContext,
  campaign: { readonly seed: number; readonly faults: number; readonly times: Times },
): Promise<void> {
  const { seed, faults } = campaign
  const kinds = kindNames().filter((name) => clockCanJump() || !name.startsWith('clock-jump'))
  const head = { seed, times: '', app: ledger.name, kinds: kinds.join(',') }
  const lines: string[] = []
  const report = await runCampaign({
    ...campaign,
    application: ledger,
    from: 1,
    endMs: Infinity,
    kinds,
    wholeMsMax,
    history: await History.open(undefined, head),
    tell: (line) => lines.push(`seed ${String(seed)} ${line}`),
  })
  if (!held(report)) t.log(lines.join('\n'))
  t.is(report.lost, 0, 'acknowledged entries are lost')
  t.is(report.doubleRuns, 0, 'the application ran twice')
  t.is(report.unhealed, 0, 'the pair did not help itself')
  t.false(report.replicasDiffer, 'the replicas differ')
  t.true(report.faults >= faults)
  t.log(`seed ${String(seed)}: ${String(report.falseFailovers.length)} false failovers`)
}
