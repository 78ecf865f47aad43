/** Plays one round after the other on a real pair, and judges each: injects, heals, waits until the pair is whole, looks for losses. */
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { LabError, monotonicMs, type Product } from '@holdfast/lab'
import { inject } from './faults.js'
import { type KindName, kindOf } from './kinds.js'
import {
  type Happened,
  isFalseFailover,
  isViolation,
  type Report,
  reportOf,
  type RoundResult,
  takeoverSince,
} from './report.js'
import { type Fault, type Round, roundOf } from './schedule.js'
import { World, type WorldOptions } from './world.js'

/** After so many violations nothing new is learnt. */
const violationsMax = 5
const logsDirectory = '/var/tmp/holdfast-chaos'

export interface Campaign extends WorldOptions {
  readonly seed: number
  /** The first round; those before it are left out. */
  readonly from: number
  /** Ends after so many faults, or at this instant of the monotonic clock. */
  readonly faults: number
  readonly endMs: number
  readonly kinds: readonly KindName[]
  /** How long a pair may take to be whole after everything was healed. */
  readonly wholeMsMax: number
  readonly tell: (line: string) => void
}

interface Roles {
  readonly primary: Product
  readonly secondary: Product
}

export async function runCampaign(campaign: Campaign): Promise<Report> {
  const results: RoundResult[] = []
  let replicasDiffer = false
  let world = await World.create(campaign)
  try {
    for (let number = campaign.from; !isOver(campaign, results); number++) {
      const round = roundOf(campaign.seed, number, campaign.kinds)
      const result = await playRound(world, round, campaign)
      results.push(result)
      campaign.tell(lineOf(result))
      if (!isViolation(result)) continue
      await keep(world, result, campaign)
      // What was found stays in the evidence of this pair: the next rounds need a clean one.
      await world.pair.end()
      world = await World.create(campaign)
    }
    const differing = await world.finalDifferences()
    if (differing !== '') campaign.tell(`the replicas differ:\n${differing}`)
    replicasDiffer = differing !== ''
  } finally {
    await world.pair.end()
  }
  return reportOf(results, replicasDiffer)
}

function isOver(campaign: Campaign, results: readonly RoundResult[]): boolean {
  const faults = results.reduce((sum, result) => sum + result.happened.length, 0)
  const violations = results.filter(isViolation).length
  return faults >= campaign.faults || monotonicMs() >= campaign.endMs || violations >= violationsMax
}

async function playRound(world: World, round: Round, campaign: Campaign): Promise<RoundResult> {
  const roles = await world.roles()
  const startNs = BigInt(Math.round(monotonicMs() * 1e6))
  const outcomes = await Promise.all(round.faults.map((fault) => suffer(world, roles, fault)))
  const happened = outcomes.filter((outcome) => outcome !== undefined)
  const healedMs = monotonicMs()
  let wholeMs: number | undefined
  let trouble = ''
  let lost: readonly string[] = []
  try {
    await world.mend()
    const mayBeDead = happened.some(({ kind }) => kindOf(kind).killsApplication === true)
    await world.whole(campaign.wholeMsMax, mayBeDead)
    wholeMs = monotonicMs() - healedMs
    lost = await world.lost(campaign.wholeMsMax)
  } catch (error) {
    if (!(error instanceof LabError)) throw error
    trouble = `${error.message}; ${await statesOf(world)}`
  }
  const runners = await world.pair.runners()
  const other = roles.secondary.host.name
  const moved = runners.filter(({ node, firstNs }) => node === other && firstNs > startNs).length
  const takeoverMs = moved === 0 ? undefined : await takeover(world, happened, other)
  const doubleRuns = await world.doubleRuns()
  return { number: round.number, happened, wholeMs, moved, takeoverMs, lost, doubleRuns, trouble }
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

async function takeover(
  world: World,
  happened: readonly Happened[],
  node: string,
): Promise<number | undefined> {
  const sinceMs = takeoverSince(happened)
  if (sinceMs === undefined) return undefined
  await world.pair.clients.record.read()
  const first = world.pair.clients.record.all.find(
    (entry) => entry.node === node && entry.answeredMs > sinceMs,
  )
  return first === undefined ? undefined : first.answeredMs - sinceMs
}

async function statesOf(world: World): Promise<string> {
  const told = await Promise.all(
    world.pair.nodes.map(async (node) => {
      const answer = await node.module(world.application.name)
      const state = await node.state(world.application.name)
      return `${node.host.name} ${state} (${answer?.state?.cause ?? 'no cause'})`
    }),
  )
  return told.join(', ')
}

/** What is needed to find out what happened, and to do it again. */
async function keep(world: World, result: RoundResult, campaign: Campaign): Promise<void> {
  const directory = join(logsDirectory, `${String(campaign.seed)}-${String(result.number)}`)
  const replay =
    `npm run chaos -- --seed ${String(campaign.seed)} --from ${String(result.number)} --faults 1` +
    ` --app ${campaign.application.name} --timeout ${campaign.timeout}`
  await world.keepLogs(directory, `${lineOf(result)}\nagain: ${replay}\n`)
  campaign.tell(`  logs are kept in ${directory}; to play this round again:\n  ${replay}`)
}

export function lineOf(result: RoundResult): string {
  const faults = result.happened.map(({ kind }) => kind).join(' + ') || 'nothing left to break'
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`
  const facts = [
    result.wholeMs === undefined
      ? `NOT WHOLE: ${result.trouble}`
      : `whole after ${seconds(result.wholeMs)}`,
    ...(result.takeoverMs === undefined ? [] : [`take-over ${seconds(result.takeoverMs)}`]),
    ...(isFalseFailover(result) ? ['FALSE FAILOVER'] : []),
    ...(result.lost.length === 0 ? [] : [`LOST: ${result.lost.slice(0, 10).join(' ')}`]),
    ...(result.doubleRuns.length === 0 ? [] : [`RAN TWICE: ${result.doubleRuns.join('; ')}`]),
  ]
  return `#${String(result.number)} ${faults}: ${facts.join(', ')}`
}
