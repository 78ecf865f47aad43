#!/usr/bin/env node
/** `npm run chaos`: faults by seed on real daemons under load, and whether both promises held. */
import { LabError, ledger, monotonicMs, postgresql } from '@holdfast/lab'
import { runCampaign } from './campaign.js'
import type { KindName } from './kinds.js'
import { type Options, parseOptions, usage } from './options.js'
import { held, jsonLine, type Report } from './report.js'
import { clockCanJump } from './world.js'

const wholeMsMax = 60_000
const clockKinds: readonly KindName[] = ['clock-jump-primary', 'clock-jump-secondary']

async function main(args: readonly string[]): Promise<number> {
  const anySeed = 1 + Math.floor(Math.random() * 999_999_998)
  const options = parseOptions(args, anySeed)
  if (options === undefined) {
    console.log(usage)
    return 0
  }
  console.log(`chaos: seed ${String(options.seed)}, application ${options.app}`)
  const report = await runCampaign({
    ...options,
    application: options.app === 'ledger' ? ledger : postgresql,
    kinds: possible(options.kinds),
    endMs: monotonicMs() + options.minutes * 60_000,
    wholeMsMax,
    tell: (line) => {
      console.log(line)
    },
  })
  tell(report, options)
  return held(report) ? 0 : 1
}

function possible(kinds: readonly KindName[]): readonly KindName[] {
  if (clockCanJump()) return kinds
  console.log('chaos: without clock jumps, because the package libfaketime is missing')
  return kinds.filter((kind) => !clockKinds.includes(kind))
}

function tell(report: Report, options: Options): void {
  const { min, median, p99 } = report.takeoverMs
  console.log('')
  for (const [kind, count] of report.perKind) {
    if (count > 0) console.log(`  ${String(count).padStart(5)} ${kind}`)
  }
  console.log(`
  faults              ${String(report.faults)} in ${String(report.rounds)} rounds
  acknowledged, lost  ${String(report.lost)}
  ran twice           ${String(report.doubleRuns)}
  false failovers     ${String(report.falseFailovers)}
  not whole in time   ${String(report.unhealed)}
  replicas identical  ${report.replicasDiffer ? 'NO' : 'yes'}
  take-over           ${String(min)} ms at least, ${String(median)} ms median, ${String(p99)} ms 99th percentile
  seed                ${String(options.seed)}

${held(report) ? 'Held fast.' : 'FAILED.'}`)
  if (options.json) console.log(jsonLine(report, options.seed))
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof LabError)) throw error
  console.error(`chaos: ${error.message}`)
  process.exitCode = 1
}
