/** `npm run bench -- resync`: how long a secondary needs to be equal again, and what applications feel of it. */
import { Lab, LabError, parseArguments } from '@holdfast/lab'
import { forgetCaches, mountDisk } from '../disks.js'
import { Interruption } from '../interruption.js'
import { wholeNumber } from '../options.js'
import { directory, installPair } from '../sides/holdfast.js'
import { beneath, copyPlainly, Stand } from './stand.js'
import { type ResyncRow, resyncLine, resyncTable } from './words.js'

export const resyncUsage = `npm run bench -- resync [--json] [--files 100000] [--file-bytes 1024] [--large-megabytes 512]
                     [--per-directory 1000] [--only NAME,…]

  Two nodes on this machine; the secondary is made equal again after different things happened. Disks are in memory.

  --json             one line of JSON a scenario on standard output
  --files            small files of the tree
  --file-bytes       bytes of each; 0: they are empty
  --per-directory    files of each directory; their names have 20 bytes
  --large-megabytes  of the one large file that is copied in a scenario of its own
  --only             beside the first synchronisation only these: cp, list, nothing, tenth, large, differences, cold, writes`

const baselineMs = 5_000
const megabyte = 1_000_000
/** ext4 gives each file at least so much; inode tables and journal on top. */
const blockBytes = 4_096
const inodeBytes = 256
const spareBytes = 1024 ** 3

interface ResyncOptions {
  readonly json: boolean
  readonly files: number
  readonly fileBytes: number
  readonly filesPerDirectory: number
  readonly largeBytes: number
  readonly only: readonly string[]
}

export async function resync(
  args: readonly string[],
  tell: (line: string) => void,
): Promise<number> {
  const options = optionsOf(args)
  if (options === undefined) {
    console.log(resyncUsage)
    return 0
  }
  const lab = await Lab.create({ clients: [], disks: 'tmpfs' })
  const interruption = new Interruption(lab)
  try {
    const rows: ResyncRow[] = []
    for await (const row of measured(lab, options, tell)) {
      rows.push(row)
      tell(resyncLine(row))
      if (options.json) console.log(resyncLine(row))
    }
    if (!options.json) console.log(resyncTable(rows))
    return 0
  } finally {
    await interruption.removeLab()
  }
}

async function* measured(
  lab: Lab,
  options: ResyncOptions,
  tell: (line: string) => void,
): AsyncGenerator<ResyncRow> {
  const { files, fileBytes, filesPerDirectory, largeBytes, only } = options
  const roundUp = (bytes: number): number => Math.ceil(bytes / blockBytes) * blockBytes
  const inodes = Math.ceil(files * 1.1) + 10_000
  const bytes = files * roundUp(fileBytes) + inodes * inodeBytes + largeBytes + spareBytes
  for (const node of [lab.host('n1'), lab.host('n2')]) {
    await mountDisk(node, 'memory', { bytes: Math.ceil(bytes), inodes })
  }
  const pair = await installPair(lab, { async: 'none', encryption: 'on' })
  const stand = new Stand(pair, { files, fileBytes, filesPerDirectory })
  tell(`making ${String(files)} files`)
  await stand.write(beneath, 1, 0)
  if (only.includes('cp')) yield copyPlainly(stand)
  await stand.serve()
  yield await stand.synchronise('first', stand.all)
  await stand.compare()
  for (const [name, scenario] of scenarios) {
    if (only.includes(name)) yield* scenario(stand, options)
  }
}

type Scenario = (stand: Stand, options: ResyncOptions) => AsyncGenerator<ResyncRow>

/** Each begins with two equal nodes and ends with two equal nodes. */
const scenarios: ReadonlyMap<string, Scenario> = new Map<string, Scenario>([
  [
    'list',
    async function* (stand) {
      yield await stand.list('ls -f')
    },
  ],
  [
    'nothing',
    async function* (stand) {
      await stand.stopSecond()
      yield await stand.synchronise('nothing changed', stand.all)
    },
  ],
  [
    'tenth',
    async function* (stand, { files, fileBytes }) {
      await stand.stopSecond()
      await stand.write(directory, 10, 1)
      const changed = Math.ceil(files / 10)
      const tenth = { files: changed, bytes: changed * fileBytes }
      yield await stand.synchronise('10 % changed', tenth)
      await stand.compare()
    },
  ],
  [
    'large',
    async function* (stand, { largeBytes }) {
      await stand.stopSecond()
      const make = `head -c ${String(largeBytes)} /dev/urandom >${directory}/large`
      await stand.first.mustRun(['sh', '-c', make], { timeoutMs: 120_000 })
      yield await stand.synchronise('one large file', { files: 1, bytes: largeBytes })
    },
  ],
  [
    'differences',
    async function* (stand) {
      await stand.stopSecond()
      await stand.write(directory, 100, 2)
      await stand.forgetJournal()
      yield await stand.synchronise('compare all, 1 % differs', stand.all)
      await stand.compare()
    },
  ],
  [
    'cold',
    async function* (stand) {
      await stand.stopBoth()
      await stand.forgetJournal()
      await forgetCaches(stand.first)
      await forgetCaches(stand.second)
      await stand.serve()
      yield await stand.synchronise('compare all, cold', stand.all)
    },
  ],
  [
    'writes',
    async function* (stand) {
      await stand.stopSecond()
      const wait = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, baselineMs))
      const [, alone] = await stand.writing(wait)
      const seconds = baselineMs / 1_000
      yield { ...nothing, scenario: 'writes without a copy', seconds, writes: alone }
      await stand.forgetJournal()
      await stand.second.mustRun(['sh', '-c', `rm -rf ${beneath}/d*`], { timeoutMs: 600_000 })
      const copy = (): Promise<ResyncRow> => stand.synchronise('first, under writes', stand.all)
      const [row, writes] = await stand.writing(copy)
      yield { ...row, writes }
      await stand.compare()
    },
  ],
])

const nothing: ResyncRow = {
  ...{ scenario: '', seconds: 0, files: 0, bytes: 0, copySeconds: undefined, scope: undefined },
  ...{ contentBytes: undefined, wireBytes: undefined, sourceMemoryBytes: undefined },
  ...{ targetMemoryBytes: undefined, writes: undefined },
}

function optionsOf(args: readonly string[]): ResyncOptions | undefined {
  const { values } = parse(args)
  if (values.help === true) return undefined
  const known = ['cp', ...scenarios.keys()]
  const only = values.only?.split(',') ?? known
  const unknown = only.find((name) => !known.includes(name))
  if (unknown !== undefined) throw new LabError(`--only ${unknown}: use ${known.join(', ')}`)
  return {
    only,
    json: values.json === true,
    files: wholeNumber('files', values.files, 100_000, 10_000_000),
    fileBytes:
      values['file-bytes'] === '0'
        ? 0
        : wholeNumber('file-bytes', values['file-bytes'], 1024, 1024 ** 2),
    filesPerDirectory: wholeNumber('per-directory', values['per-directory'], 1_000, 10_000_000),
    largeBytes: wholeNumber('large-megabytes', values['large-megabytes'], 512, 8_192) * megabyte,
  }
}

function parse(args: readonly string[]) {
  return parseArguments(
    {
      args: [...args],
      options: {
        json: { type: 'boolean' },
        files: { type: 'string' },
        'file-bytes': { type: 'string' },
        'per-directory': { type: 'string' },
        'large-megabytes': { type: 'string' },
        only: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    },
    resyncUsage,
  )
}
