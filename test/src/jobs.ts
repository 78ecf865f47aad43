/** What `npm test` is made of: the compiled test files, divided into jobs that may run beside each other. */
import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'

/** What computes waits for nothing, and nothing in it is late. */
export type Kind = 'unit' | 'computing' | 'end to end' | 'chosen'

/** One process of ava, whose files run one after the other. */
export interface Job {
  readonly kind: Kind
  readonly name: string
  /** Files or patterns of files, from the root of the repository. */
  readonly files: readonly string[]
}

const endToEnd = 'test/dist/e2e'
const simulator = 'test/dist/sim'

/** Those that last longest, in this order: a long job that begins last is what everybody waits for. */
const first: readonly string[] = [
  ...['modules', 'checkers', 'chaos', 'failover', 'watchdog', 'mirror', 'faults'],
  ...['upgrade', 'overdue', 'witness', 'modules-followers', 'bad-input', 'shutdown', 'scripts'],
].map((name) => `${endToEnd}/${name}.test.js`)

/** A job for each package's unit tests, and one for each end to end file. */
export async function allJobs(repository: string): Promise<readonly Job[]> {
  const packages = ['sdk', 'core', ...(await inside(repository, 'plugins', 'tools')), 'test']
  const perPackage = await Promise.all(packages.map((name) => testFiles(repository, name)))
  const below = (directory: string) => (file: string) => file.startsWith(`${directory}/`)
  const [isEnd, isSimulated] = [below(endToEnd), below(simulator)]
  const units = packages.map((name, index): Job => {
    const all = perPackage[index] ?? []
    return { kind: 'unit', name, files: all.filter((file) => !isEnd(file) && !isSimulated(file)) }
  })
  const all = perPackage.flat()
  const computing: Job = { kind: 'computing', name: 'simulator', files: all.filter(isSimulated) }
  const ends = all
    .filter(isEnd)
    .map((file): Job => ({ kind: 'end to end', name: title(file), files: [file] }))
  return [...units, computing, ...ends]
    .filter((job) => job.files.length > 0)
    .sort((one, other) => rank(one) - rank(other))
}

function rank(job: Job): number {
  const place = first.findIndex((begin) => job.files.includes(begin))
  return place === -1 ? first.length : place
}

function title(file: string): string {
  return `e2e › ${basename(file, '.test.js')}`
}

async function inside(repository: string, ...directories: readonly string[]): Promise<string[]> {
  const found = await Promise.all(
    directories.map(async (directory) => {
      const entries = await readdir(join(repository, directory), { withFileTypes: true })
      const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
      return names.sort().map((name) => `${directory}/${name}`)
    }),
  )
  return found.flat()
}

async function testFiles(repository: string, name: string): Promise<readonly string[]> {
  const names = await readdir(join(repository, name, 'dist'), { recursive: true })
  const files = names.filter((file) => file.endsWith('.test.js')).sort()
  return files.map((file) => `${name}/dist/${file}`)
}
