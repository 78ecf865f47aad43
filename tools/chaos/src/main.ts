#!/usr/bin/env node
/** `npm run chaos`: faults by seed on real daemons under load, and whether both promises held. */
import { LabError, ledger, monotonicMs, postgresql } from '@holdfast/lab'
import { runCampaign } from './campaign.js'
import { History, seedIn } from './history.js'
import type { KindName } from './kinds.js'
import { parseOptions, usage } from './options.js'
import { held } from './report.js'
import { jsonLine, reportText } from './text.js'
import type { Times } from './times.js'
import { clockCanJump } from './world.js'

const wholeMsMax = 90_000
const clockKinds: readonly KindName[] = ['clock-jump-primary', 'clock-jump-secondary']

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args)
  if (options === undefined) {
    console.log(usage)
    return 0
  }
  const { app, resume, times } = options
  const begun = resume === undefined ? undefined : await seedIn(resume)
  const seed = options.seed ?? begun ?? 1 + Math.floor(Math.random() * 999_999_998)
  const kinds = possible(options.kinds)
  const shown = shownTimes(times)
  const history = await History.open(resume, { seed, app, times: shown, kinds: kinds.join(',') })
  console.log(`chaos: seed ${String(seed)}, application ${app}, ${shown}`)
  const report = await runCampaign({
    ...options,
    seed,
    history,
    kinds,
    application: app === 'ledger' ? ledger : postgresql,
    endMs: monotonicMs() + options.minutes * 60_000,
    wholeMsMax,
    tell: (line) => {
      console.log(line)
    },
  })
  console.log(reportText(report, seed))
  if (options.json) console.log(jsonLine(report, seed))
  return held(report) ? 0 : 1
}

function shownTimes({ timeoutMs, watchdogSeconds }: Times): string {
  const watchdog =
    watchdogSeconds === undefined ? 'no watchdog' : `watchdog ${String(watchdogSeconds)} s`
  return `time-out ${String(timeoutMs)} ms, ${watchdog}`
}

function possible(kinds: readonly KindName[]): readonly KindName[] {
  if (clockCanJump()) return kinds
  console.log('chaos: without clock jumps, because the package libfaketime is missing')
  return kinds.filter((kind) => !clockKinds.includes(kind))
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof LabError)) throw error
  console.error(`chaos: ${error.message}`)
  process.exitCode = 1
}
