/** The command line of the demo. */
import { LabError, parseArguments } from '@holdfast/lab'

export interface DemoOptions {
  readonly app: 'ledger' | 'postgresql'
  readonly json: boolean
  readonly keep: boolean
  /** `<heart timeout>`, as the operator writes it. */
  readonly timeout: string
}

export const usage = `npm run demo -- [--app ledger|postgresql] [--timeout 1000ms] [--json] [--keep]

  --app      the application: a small ledger server (default), or the real PostgreSQL
  --timeout  silence after which a node counts as lost (default 5000ms)
  --json     the verdict as one last line of JSON
  --keep     leave the cluster running, and say how to use and remove it`

/** Undefined: only help was asked for. */
export function parseOptions(args: readonly string[]): DemoOptions | undefined {
  const { values } = parseArguments(
    {
      args: [...args],
      options: {
        app: { type: 'string' },
        timeout: { type: 'string' },
        json: { type: 'boolean' },
        keep: { type: 'boolean' },
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
  const timeout = values.timeout ?? '5000ms'
  if (!/^\d+(\.\d+)?(ms|s)?$/.test(timeout)) {
    throw new LabError(`--timeout ${timeout}: write for instance 1000ms or 5s`)
  }
  return { app, timeout, json: values.json === true, keep: values.keep === true }
}
