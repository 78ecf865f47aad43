/** The command line of `npm run chaos`. */
import { LabError, parseArguments } from '@holdfast/lab'
import { isKind, type KindName, kindNames } from './kinds.js'
import { type Times, timesOf } from './times.js'

export interface Options {
  readonly app: 'ledger' | 'postgresql'
  /** Undefined: any, or the one that a resumed campaign was begun with. */
  readonly seed: number | undefined
  readonly from: number
  /** Infinity: as many as there is time for. */
  readonly faults: number
  /** Infinity: as long as the faults take. */
  readonly minutes: number
  readonly times: Times
  /** Undefined: the results of this run are not kept. */
  readonly resume: string | undefined
  readonly kinds: readonly KindName[]
  readonly json: boolean
}

export const usage = `npm run chaos -- [--minutes N] [--faults N] [--seed S] [--app ledger|postgresql]
                 [--only KIND,KIND] [--from ROUND] [--timeout 3s] [--watchdog 8s|off]
                 [--resume FILE] [--json]

  --minutes  how long; default: until 50 faults have happened
  --faults   how many
  --seed     the schedule of faults; default: another one each time
  --from     the first round of the schedule: to play one round again
  --only     only these kinds of fault
  --timeout  silence after which a node counts as lost (default 3s)
  --watchdog time after which a node that does not feed its watchdog is reset (default 8s). All times of
             the faults grow with it, and primaries also fall silent while their application runs.
             off: none of that, and rounds are quick
  --resume   keeps the results of all rounds in this file; where it has some, goes on after them, with
             the same seed, and the report is about all
  --json     the verdict as one last line of JSON

Kinds: ${kindNames().join(', ')}`

const faultsByDefault = 50
/** Shorter, a pair on a busy machine loses its heart without any fault. */
const timeoutMsMin = 500
const timeoutMsMax = 60_000
/** The plugin's own least. */
const watchdogSecondsMin = 2

/** Undefined: only help was asked for. */
export function parseOptions(args: readonly string[]): Options | undefined {
  const { values } = parseArguments(
    {
      args: [...args],
      options: {
        app: { type: 'string' },
        timeout: { type: 'string' },
        watchdog: { type: 'string' },
        minutes: { type: 'string' },
        faults: { type: 'string' },
        seed: { type: 'string' },
        from: { type: 'string' },
        only: { type: 'string' },
        resume: { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    },
    usage,
  )
  if (values.help === true) return undefined
  const app = values.app ?? 'ledger'
  if (app !== 'ledger' && app !== 'postgresql') {
    throw new LabError(`--app ${app}: there are ledger and postgresql`)
  }
  const minutes = numberIn('minutes', values.minutes) ?? Infinity
  const faults =
    numberIn('faults', values.faults) ?? (minutes === Infinity ? faultsByDefault : Infinity)
  return {
    app,
    times: timesOf(timeoutIn(values.timeout ?? '3s'), watchdogIn(values.watchdog ?? '8s')),
    resume: values.resume,
    minutes,
    faults,
    seed: numberIn('seed', values.seed),
    from: numberIn('from', values.from) ?? 1,
    kinds: values.only === undefined ? kindNames() : values.only.split(',').map(kindIn),
    json: values.json === true,
  }
}

function kindIn(name: string): KindName {
  if (isKind(name)) return name
  throw new LabError(`--only ${name}: there are ${kindNames().join(', ')}`)
}

function numberIn(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^\d{1,9}$/.test(text) || Number(text) < 1) {
    throw new LabError(`--${name} ${text}: use a whole number from 1 to 999999999`)
  }
  return Number(text)
}

function timeoutIn(text: string): number {
  const [, digits, unit] = /^(\d{1,6})(ms|s)$/.exec(text) ?? []
  const ms = Number(digits) * (unit === 's' ? 1_000 : 1)
  if (ms >= timeoutMsMin && ms <= timeoutMsMax) return ms
  throw new LabError(
    `--timeout ${text}: write for instance 1000ms or 5s, from ${String(timeoutMsMin)}ms to ${String(timeoutMsMax)}ms`,
  )
}

function watchdogIn(text: string): number | undefined {
  if (text === 'off') return undefined
  const seconds = Number(/^(\d{1,2})s$/.exec(text)?.[1])
  if (seconds >= watchdogSecondsMin) return seconds
  throw new LabError(
    `--watchdog ${text}: write "off" or whole seconds, from ${String(watchdogSecondsMin)}s to 99s`,
  )
}
