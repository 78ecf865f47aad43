/** Reads what the data plane says. It is our own process, yet an older or newer one may be running. Pure. */
import type { LogLevel, Progress } from '@holdfast/sdk'
import type { PlaneCode, PlaneEvent, PlaneLink, PlaneRole, PlaneStatus } from './protocol.js'
import { objectOf } from './object.js'
import { reportOf } from '../verification/report.js'
import type { Refusal } from './refusal.js'

export type Incoming =
  | { readonly kind: 'event'; readonly event: PlaneEvent }
  | {
      readonly kind: 'answer'
      readonly id: number
      readonly answer:
        { readonly ok: true; readonly fields: Readonly<Record<string, unknown>> } | Refusal
    }
  /** An event that this version does not know. */
  | { readonly kind: 'unknown' }

type Fields = Readonly<Record<string, unknown>>

/** Undefined: not a line of this protocol. */
export function parseLine(line: string): Incoming | undefined {
  const fields = parseObject(line)
  if (fields === undefined) return undefined
  if (typeof fields['event'] === 'string') {
    const event = eventOf(fields['event'], fields)
    return event === undefined ? { kind: 'unknown' } : { kind: 'event', event }
  }
  const id = fields['id']
  if (typeof id !== 'number') return undefined
  if (fields['ok'] === true) return { kind: 'answer', id, answer: { ok: true, fields } }
  const failure = {
    ok: false as const,
    code: textOf(fields['code'], 'E_RFS_PLANE'),
    reason: textOf(fields['reason'], 'the data plane refused without a reason'),
  }
  const hint = fields['hint']
  return { kind: 'answer', id, answer: typeof hint === 'string' ? { ...failure, hint } : failure }
}

const roles: readonly PlaneRole[] = ['idle', 'serving', 'following']
const links: readonly PlaneLink[] = ['none', 'copying', 'live', 'held']

export function statusOf(fields: Fields): PlaneStatus | undefined {
  const role = roles.find((one) => one === fields['role'])
  const pid = fields['pid']
  if (role === undefined || typeof pid !== 'number') return undefined
  const { generation, heardMsAgo } = fields
  return {
    pid,
    code: planeCodeOf(fields['code']),
    speaks: maybeNumber(fields['speaks']),
    role,
    generation: typeof generation === 'string' ? generation : undefined,
    epoch: numberOf(fields['epoch']),
    link: links.find((one) => one === fields['link']) ?? 'none',
    heardMsAgo: typeof heardMsAgo === 'number' ? heardMsAgo : undefined,
    progress: progressOf(fields['progress']),
    counters: Object.fromEntries(
      Object.entries(objectOf(fields['counters']) ?? {}).map(([name, value]) => [
        name,
        numberOf(value),
      ]),
    ),
  }
}

/** Undefined: a data plane of a version that says nothing of its code. */
export function planeCodeOf(value: unknown): PlaneCode | undefined {
  const { version, digest } = objectOf(value) ?? {}
  return typeof version === 'string' && typeof digest === 'string' ? { version, digest } : undefined
}

function eventOf(name: string, fields: Fields): PlaneEvent | undefined {
  const epoch = numberOf(fields['epoch'])
  const cause = textOf(fields['cause'], 'no cause given')
  switch (name) {
    case 'copyFinished':
      return { event: 'copyFinished', epoch }
    case 'linkLost':
      return { event: 'linkLost', epoch, cause, wasLive: fields['wasLive'] === true }
    case 'dataFailed':
      return { event: 'dataFailed', cause }
    case 'progressed': {
      const progress = progressOf(fields['progress'])
      return progress === undefined ? undefined : { event: 'progressed', epoch, progress }
    }
    case 'verified': {
      const report = reportOf(fields['report'])
      return report === undefined ? undefined : { event: 'verified', report }
    }
    case 'log':
      return {
        event: 'log',
        level: levels.find((one) => one === fields['level']) ?? 'info',
        name: textOf(fields['name'], 'planeLogged'),
        fields: objectOf(fields['fields']) ?? {},
      }
    default:
      return undefined
  }
}

const levels: readonly LogLevel[] = ['critical', 'event', 'warning', 'info', 'debug']
const phases: readonly Progress['phase'][] = ['compare', 'copy', 'delta']

function progressOf(value: unknown): Progress | undefined {
  const fields = objectOf(value)
  const phase = phases.find((one) => one === fields?.['phase'])
  if (fields === undefined || phase === undefined) return undefined
  return {
    phase,
    filesDone: numberOf(fields['filesDone']),
    filesTotal: maybeNumber(fields['filesTotal']),
    bytesDone: numberOf(fields['bytesDone']),
    bytesTotal: maybeNumber(fields['bytesTotal']),
    bytesPerSecond: numberOf(fields['bytesPerSecond']),
    etaSeconds: maybeNumber(fields['etaSeconds']),
  }
}

export function parseObject(line: string): Fields | undefined {
  try {
    return objectOf(JSON.parse(line))
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function numberOf(value: unknown): number {
  return maybeNumber(value) ?? 0
}

function maybeNumber(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined
}

function textOf(value: unknown, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise
}
