/** The command line of `npm run chaos`. */
import { parseArgs } from 'node:util'
import { LabError } from '@holdfast/lab'
import { isKind, type KindName, kindNames } from './kinds.js'

export interface Options {
  readonly app: 'ledger' | 'postgresql'
  readonly seed: number
  readonly from: number
  /** Infinity: as many as there is time for. */
  readonly faults: number
  /** Infinity: as long as the faults take. */
  readonly minutes: number
  readonly timeout: string
  readonly kinds: readonly KindName[]
  readonly json: boolean
}

export const usage = `npm run chaos -- [--minutes N] [--faults N] [--seed S] [--app ledger|postgresql]
                 [--only KIND,KIND] [--from ROUND] [--timeout 1000ms] [--json]

  --minutes  how long; default: until 50 faults have happened
  --faults   how many
  --seed     the schedule of faults; default: another one each time
  --from     the first round of the schedule: to play one round again
  --only     only these kinds of fault
  --timeout  silence after which a node counts as lost (default 1000ms)
  --json     the verdict as one last line of JSON

Kinds: ${kindNames().join(', ')}`

const faultsByDefault = 50

/** Undefined: only help was asked for. */
export function parseOptions(args: readonly string[], anySeed: number): Options | undefined {
  const { values } = parse(args)
  if (values.help === true) return undefined
  const app = values.app ?? 'ledger'
  if (app !== 'ledger' && app !== 'postgresql') {
    throw new LabError(`--app ${app}: there are ledger and postgresql`)
  }
  const timeout = values.timeout ?? '1000ms'
  if (!/^\d+(\.\d+)?(ms|s)$/.test(timeout)) {
    throw new LabError(`--timeout ${timeout}: write for instance 1000ms or 5s`)
  }
  const minutes = numberIn('minutes', values.minutes) ?? Infinity
  const faults =
    numberIn('faults', values.faults) ?? (minutes === Infinity ? faultsByDefault : Infinity)
  return {
    app,
    timeout,
    minutes,
    faults,
    seed: numberIn('seed', values.seed) ?? anySeed,
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

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        app: { type: 'string' },
        timeout: { type: 'string' },
        minutes: { type: 'string' },
        faults: { type: 'string' },
        seed: { type: 'string' },
        from: { type: 'string' },
        only: { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    throw new LabError(`${error.message}\n\n${usage}`, { cause: error })
  }
}
