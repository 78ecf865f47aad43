/** Reads and writes of a file, generated and timed by fio with plain system calls (pread, pwrite, fsync), one at a time in each job. */
import { join } from 'node:path'
import { type Host, LabError } from '@holdfast/lab'
import type { Side } from '../sides/side.js'
import { parseFio } from './fio-output.js'
import type { Unit, Workload } from './workload.js'

interface FioWork {
  readonly name: string
  readonly title: string
  readonly unit: Unit
  readonly pattern: 'randwrite' | 'write' | 'randread' | 'read'
  readonly block: '4k' | '1m'
  /** Each with its own file. */
  readonly jobs: number
  readonly megabytes: number
  readonly fsync?: boolean
  /** Reads only. `warm`: the kernel's page cache has all; `cold`: nothing on its way has anything. */
  readonly cache?: 'warm' | 'cold'
}

const works: readonly FioWork[] = [
  {
    ...{ name: 'write-4k', title: '4 KiB write, 1 job', unit: 'IOPS' },
    ...{ pattern: 'randwrite', block: '4k', jobs: 1, megabytes: 64 },
  },
  {
    ...{ name: 'write-4k-4jobs', title: '4 KiB write, 4 jobs', unit: 'IOPS' },
    ...{ pattern: 'randwrite', block: '4k', jobs: 4, megabytes: 64 },
  },
  {
    ...{ name: 'write-fsync-4k', title: '4 KiB write + fsync', unit: 'IOPS' },
    ...{ pattern: 'randwrite', block: '4k', jobs: 1, megabytes: 64, fsync: true },
  },
  {
    ...{ name: 'write-1m', title: '1 MiB sequential write', unit: 'MB/s' },
    ...{ pattern: 'write', block: '1m', jobs: 1, megabytes: 256 },
  },
  {
    ...{ name: 'read-cached-4k', title: '4 KiB read, cached', unit: 'IOPS' },
    ...{ pattern: 'randread', block: '4k', jobs: 1, megabytes: 64, cache: 'warm' },
  },
  {
    ...{ name: 'read-uncached-4k', title: '4 KiB random read, uncached', unit: 'IOPS' },
    ...{ pattern: 'randread', block: '4k', jobs: 1, megabytes: 512, cache: 'cold' },
  },
  {
    ...{ name: 'read-uncached-1m', title: '1 MiB sequential read, uncached', unit: 'MB/s' },
    ...{ pattern: 'read', block: '1m', jobs: 1, megabytes: 512, cache: 'cold' },
  },
]

export const fioWorkloads: readonly Workload[] = works.map((work) => ({
  name: work.name,
  title: work.title,
  unit: work.unit,
  prepare: (side) => layOut(work, side),
  beforeRound: (side) => setCaches(work, side),
  async measure(side, seconds) {
    const output = await fio(side.node, [...jobs(work, side.directory), ...timed(work, seconds)])
    const { direction, sync } = parseFio(output, work.pattern.endsWith('write') ? 'write' : 'read')
    // The write before it only fills memory on this node; what the application waits for is the fsync.
    const { p50us, p99us } = work.fsync === true ? sync : direction
    const value = work.unit === 'MB/s' ? direction.bytesPerSecond / 1e6 : direction.iops
    return { value, operations: direction.operations, p50us, p99us }
  },
  async clean(side) {
    await side.node.mustRun(['rm', '-rf', join(side.directory, work.name)])
  },
}))

/** The files exist in full before anything is measured: the work is to overwrite, not to allocate. */
async function layOut(work: FioWork, side: Side): Promise<void> {
  await side.node.mustRun(['mkdir', '-p', join(side.directory, work.name)])
  const common = jobs({ ...work, block: '1m' }, side.directory)
  await fio(side.node, [...common, '--rw=write', '--end_fsync=1'])
}

async function setCaches(work: FioWork, side: Side): Promise<void> {
  if (work.cache === undefined) return
  const files = Array.from({ length: work.jobs }, (_, job) => join(work.name, `${job}`))
  const places = [{ node: side.node, directory: side.directory }, ...side.copies]
  if (work.cache === 'warm') {
    const paths = files.map((file) => join(side.directory, file))
    await side.node.mustRun(['sh', '-c', 'cat "$@" >/dev/null', 'cat', ...paths])
    return
  }
  for (const { node, directory } of places) {
    for (const file of files) {
      // Copies nothing: it asks the kernel to forget what it has of the file.
      const input = `if=${join(directory, file)}`
      await node.mustRun(['dd', input, 'iflag=nocache', 'count=0', 'status=none'])
    }
  }
}

function jobs(work: FioWork, directory: string): readonly string[] {
  return [
    '--name=bench',
    `--directory=${join(directory, work.name)}`,
    '--filename_format=$jobnum',
    `--numjobs=${work.jobs}`,
    '--group_reporting=1',
    `--size=${work.megabytes}m`,
    `--bs=${work.block}`,
    '--ioengine=psync',
    '--fallocate=none',
    '--invalidate=0',
  ]
}

function timed(work: FioWork, seconds: number): readonly string[] {
  const fsync = work.fsync === true ? ['--fsync=1'] : []
  // Uncached: each block at most once, so a fast side ends before its time.
  const looping = work.cache === 'cold' ? [] : ['--time_based=1']
  return [
    `--rw=${work.pattern}`,
    '--overwrite=1',
    `--runtime=${seconds}s`,
    ...looping,
    ...fsync,
    '--percentile_list=50:99',
  ]
}

async function fio(node: Host, args: readonly string[]): Promise<string> {
  const result = await node.run(['fio', '--output-format=json', ...args], { timeoutMs: 180_000 })
  if (result.code === 0) return result.stdout
  const how = result.timedOut ? 'took too long' : `ended with ${result.code ?? 'a signal'}`
  throw new LabError(`fio ${args.join(' ')} ${how}: ${result.stderr.trim().slice(0, 1_000)}`)
}
