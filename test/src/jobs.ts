/** What `npm test` is made of: the compiled test files, divided into jobs that may run beside each other. */
import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'

export type Kind = 'unit' | 'end to end' | 'chosen'

/** One process of ava, whose files run one after the other. */
export interface Job {
  readonly kind: Kind
  readonly name: string
  /** Files or patterns of files, from the root of the repository. */
  readonly files: readonly string[]
}

const endToEnd = 'test/dist/e2e'

/** Those that last longest, in this order: a long job that begins last is what everybody waits for. */
const first: readonly string[] = [
  ...['chaos', 'modules', 'mirror', 'faults', 'failover', 'watchdog'],
  ...['checkers', 'bad-input', 'scripts', 'upgrade', 'strangers'],
].map((name) => `${endToEnd}/${name}.test.js`)

/** A job for each package's unit tests, and one for each end to end file. */
export async function allJobs(repository: string): Promise<readonly Job[]> {
  const packages = ['sdk', 'core', ...(await below(repository, 'plugins', 'tools')), 'test']
  const perPackage = await Promise.all(packages.map((name) => testFiles(repository, name)))
  const units = packages.map((name, index): Job => {
    const files = (perPackage[index] ?? []).filter((file) => !file.startsWith(`${endToEnd}/`))
    return { kind: 'unit', name, files }
  })
  const ends = (await testFiles(repository, 'test'))
    .filter((file) => file.startsWith(`${endToEnd}/`))
    .map((file): Job => ({ kind: 'end to end', name: title(file), files: [file] }))
  return [...units, ...ends]
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

async function below(repository: string, ...directories: readonly string[]): Promise<string[]> {
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
