/** The command line of the benchmarks. */
import { LabError, parseArguments } from '@holdfast/lab'

export type DiskKind = 'memory' | 'tmpfs' | 'plain'

export interface BenchOptions {
  readonly rounds: number
  /** Length of one measurement. */
  readonly seconds: number
  /** Runs everything once before the first round, unmeasured. */
  readonly warmUp: boolean
  /** Names of workloads; undefined: all. */
  readonly only: readonly string[] | undefined
  readonly json: boolean
  readonly glusterfs: boolean
  readonly disks: DiskKind
  readonly encryption: 'on' | 'off'
  readonly async: 'none' | 'second'
  /** 1: nobody follows, so the figures are what the mount costs by itself. */
  readonly nodes: '1' | '2'
}

export const usage = `npm run bench -- rfs [--json] [--only WORKLOAD,…] [--rounds 5] [--seconds 3] [--quick]
                  [--peer glusterfs] [--disks memory|tmpfs|plain] [--encryption on|off] [--async none|second]
                  [--nodes 1|2]

  rfs           file replication: the same work on a replicated directory and on the disk beneath it
  --json        one line of JSON a workload on standard output; what happens is told on standard error
  --only        these workloads only; --list names them
  --rounds      measurements of each side, interleaved; the figures are their medians
  --seconds     length of one measurement
  --quick       one round of one second without a warm-up: shows that it works, the figures mean little
  --peer        glusterfs: also GlusterFS, replica 2, between the same two nodes (installed by apt-get when missing)
  --disks       memory: ext4 on a memory-backed block device (default); tmpfs: no block device at all;
                plain: a directory of this machine's disk
  --encryption  <rfs encryption> of the measured module (default on)
  --async       <rfs async> of the measured module (default none: fsync returns when both disks have it)
  --nodes       1: the secondary is not started: what the mount costs without replication (default 2)`

export type Command =
  | { readonly kind: 'help' }
  | { readonly kind: 'list' }
  | { readonly kind: 'run'; readonly options: BenchOptions }

/** Throws a LabError that says what is allowed. */
export function parseCommand(args: readonly string[]): Command {
  const { values, positionals } = parse(args)
  if (values.help === true) return { kind: 'help' }
  if (values.list === true) return { kind: 'list' }
  const [subject, ...others] = positionals
  if (subject !== 'rfs' || others.length > 0) {
    throw new LabError(`"${positionals.join(' ')}": the benchmark that exists is rfs\n\n${usage}`)
  }
  if (values.peer !== undefined) oneOf('peer', values.peer, ['glusterfs'])
  const quick = values.quick === true
  return {
    kind: 'run',
    options: {
      rounds: wholeNumber('rounds', values.rounds, quick ? 1 : 5, 100),
      seconds: wholeNumber('seconds', values.seconds, quick ? 1 : 3, 60),
      warmUp: !quick,
      only: values.only?.flatMap((names) => names.split(',')).filter((name) => name !== ''),
      json: values.json === true,
      glusterfs: values.peer !== undefined,
      disks: oneOf('disks', values.disks ?? 'memory', ['memory', 'tmpfs', 'plain']),
      encryption: oneOf('encryption', values.encryption ?? 'on', ['on', 'off']),
      async: oneOf('async', values.async ?? 'none', ['none', 'second']),
      nodes: oneOf('nodes', values.nodes ?? '2', ['1', '2']),
    },
  }
}

function parse(args: readonly string[]) {
  return parseArguments(
    {
      args: [...args],
      allowPositionals: true,
      options: {
        json: { type: 'boolean' },
        only: { type: 'string', multiple: true },
        list: { type: 'boolean' },
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        quick: { type: 'boolean' },
        peer: { type: 'string' },
        disks: { type: 'string' },
        encryption: { type: 'string' },
        async: { type: 'string' },
        nodes: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    },
    usage,
  )
}

/** Of the option `name`, from 1 to `most`. Throws a LabError that says so. */
export function wholeNumber(
  name: string,
  text: string | undefined,
  absent: number,
  most: number,
): number {
  if (text === undefined) return absent
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1 || value > most) {
    throw new LabError(`--${name} ${text}: use a whole number from 1 to ${most}`)
  }
  return value
}

function oneOf<T extends string>(name: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value)
  if (found === undefined) {
    throw new LabError(`--${name} ${value}: use ${allowed.join(' or ')}`)
  }
  return found
}
