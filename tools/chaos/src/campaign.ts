/** Plays one round after the other on a real pair, and judges each: injects, heals, waits until the pair is whole, looks for losses. */
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { LabError, monotonicMs, type Product } from '@holdfast/lab'
import { inject } from './faults.js'
import type { History } from './history.js'
import { kindOf } from './kinds.js'
import {
  type Happened,
  isFalseFailover,
  isViolation,
  type Report,
  reportOf,
  type RoundResult,
  takeoverSince,
} from './report.js'
import { type Conditions, type Fault, type Round, roundOf } from './schedule.js'
import { lineOf } from './text.js'
import { World, type WorldOptions } from './world.js'

/** After so many violations nothing new is learnt. */
const violationsMax = 5
const logsDirectory = '/var/tmp/holdfast-chaos'

export interface Campaign extends WorldOptions, Conditions {
  readonly seed: number
  /** The first round; those before it are left out. */
  readonly from: number
  /** Ends after so many faults, or at this instant of the monotonic clock. */
  readonly faults: number
  readonly endMs: number
  /** How long a pair may take to be whole after everything was healed. */
  readonly wholeMsMax: number
  /** Gets every result; what it has already counts in the report. */
  readonly history: History
  readonly tell: (line: string) => void
}

interface Roles {
  readonly primary: Product
  readonly secondary: Product
}

export async function runCampaign(campaign: Campaign): Promise<Report> {
  const { history } = campaign
  const played: RoundResult[] = []
  let world = await World.create(campaign)
  try {
    for (let number = history.next(campaign.from); !isOver(campaign, played); number++) {
      const result = await playRound(world, roundOf(campaign.seed, number, campaign), campaign)
      played.push(result)
      await history.add(result)
      campaign.tell(lineOf(result))
      if (!isViolation(result) && !isFalseFailover(result)) continue
      await keep(world, result, campaign)
      if (!isViolation(result)) continue
      // What was found stays in the evidence of this pair: the next rounds need a clean one.
      await world.pair.end()
      world = await World.create(campaign)
    }
    const differing = await world.finalDifferences()
    if (differing !== '') campaign.tell(`the replicas differ:\n${differing}`)
    await history.endOfPiece(differing !== '')
  } finally {
    await world.pair.end()
  }
  return reportOf(history.results, history.replicasDiffer)
}

function isOver(campaign: Campaign, played: readonly RoundResult[]): boolean {
  const faults = played.reduce((sum, result) => sum + result.happened.length, 0)
  const violations = played.filter(isViolation).length
  return faults >= campaign.faults || monotonicMs() >= campaign.endMs || violations >= violationsMax
}

async function playRound(world: World, round: Round, campaign: Campaign): Promise<RoundResult> {
  const roles = await world.roles()
  const startMs = monotonicMs()
  const startNs = BigInt(Math.round(startMs * 1e6))
  const resetsBefore = world.resets()
  const outcomes = await Promise.all(round.faults.map((fault) => suffer(world, roles, fault)))
  const happened = outcomes.filter((outcome) => outcome !== undefined)
  const healed = await help(world, happened, campaign.wholeMsMax)
  const other = roles.secondary.host.name
  const runners = await world.pair.runners()
  const moved = runners.filter(({ node, firstNs }) => node === other && firstNs > startNs).length
  const resets = world.resets() - resetsBefore
  const sinceMs = moved === 0 ? undefined : takeoverSince(happened, resets)
  return {
    number: round.number,
    happened,
    ...healed,
    moved,
    resets,
    cause: moved === 0 ? '' : await world.whyServes(roles.secondary),
    takeoverMs: sinceMs === undefined ? undefined : await takeover(world, sinceMs, other),
    doubleRuns: await world.doubleRuns(),
    tookMs: monotonicMs() - startMs,
  }
}

/** Repairs what is broken, waits until the pair is whole, and looks for losses. */
async function help(
  world: World,
  happened: readonly Happened[],
  wholeMsMax: number,
): Promise<Pick<RoundResult, 'wholeMs' | 'lost' | 'trouble'>> {
  const healedMs = monotonicMs()
  try {
    await world.mend()
    const mayBeDead = happened.some(({ kind }) => kindOf(kind).killsApplication === true)
    await world.whole(wholeMsMax, mayBeDead)
    const wholeMs = monotonicMs() - healedMs
    return { wholeMs, lost: await world.lost(wholeMsMax), trouble: '' }
  } catch (error) {
    if (!(error instanceof LabError)) throw error
    return { wholeMs: undefined, lost: [], trouble: `${error.message}; ${await statesOf(world)}` }
  }
}

/** One fault from its beginning to its end; undefined: it found nothing to break. */
async function suffer(world: World, roles: Roles, fault: Fault): Promise<Happened | undefined> {
  await delay(fault.afterMs)
  const injected = await inject({ world, ...roles, fault })
  if (injected === undefined) return undefined
  await delay(fault.holdMs)
  try {
    await injected.heal()
  } catch (error) {
    // Another fault of the round took the victim away meanwhile; the mending at the end repairs everything.
    if (!(error instanceof LabError)) throw error
  }
  return { kind: fault.kind, atMs: injected.atMs }
}

async function takeover(world: World, sinceMs: number, node: string): Promise<number | undefined> {
  const { record } = world.pair.clients
  await record.read()
  const first = record.all.find((entry) => entry.node === node && entry.answeredMs > sinceMs)
  return first === undefined ? undefined : first.answeredMs - sinceMs
}

async function statesOf(world: World): Promise<string> {
  const told = await Promise.all(
    world.pair.nodes.map(async (node) => {
      const answer = await node.module(world.application.name)
      const state = await node.state(world.application.name)
      const outdated = (await world.isOutdated(node)) ? ', data plane of before the upgrade' : ''
      return `${node.host.name} ${state} (${answer?.state?.cause ?? 'no cause'}${outdated})`
    }),
  )
  return told.join(', ')
}

/** What is needed to find out what happened, and to do it again. */
async function keep(world: World, result: RoundResult, campaign: Campaign): Promise<void> {
  const directory = join(logsDirectory, `${String(campaign.seed)}-${String(result.number)}`)
  const { timeoutMs, watchdogSeconds } = campaign.times
  const watchdog = watchdogSeconds === undefined ? 'off' : `${String(watchdogSeconds)}s`
  const replay =
    `npm run chaos -- --seed ${String(campaign.seed)} --from ${String(result.number)} --faults 1` +
    ` --app ${campaign.application.name} --timeout ${String(timeoutMs)}ms --watchdog ${watchdog}`
  await world.keepLogs(directory, `${lineOf(result)}\nagain: ${replay}\n`)
  campaign.tell(`  logs are kept in ${directory}; to play this round again:\n  ${replay}`)
}
