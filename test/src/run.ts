/**
 * `npm test`: runs the unit tests of all packages, then the end to end tests one at a time, and ends with one line that
 * says how many passed. Arguments, if any, are patterns of compiled test files to run instead of all.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { removeLeftovers } from '@holdfast/lab'
import { concluded, countLine, nothingCounted, sum, summary, type TapCount } from './tap.js'

const repository = fileURLToPath(new URL('../../', import.meta.url))
const ava = join(repository, 'node_modules/ava/entrypoints/cli.mjs')

interface Group {
  readonly name: string
  readonly patterns: readonly string[]
  readonly flags: readonly string[]
  /** The whole group is ended after this: a hanging run must not look like a running one. */
  readonly timeoutMs: number
}

/**
 * Longer than any test may take. A process that a failed test left behind can hold ava's pipes open, and ava waits for it
 * for ever.
 */
const silenceMsMax = 240_000

const endToEnd = 'test/dist/e2e/**/*.test.js'

const groups: readonly Group[] = [
  {
    name: 'unit',
    patterns: [
      '{sdk,core}/dist/**/*.test.js',
      '{plugins,tools}/*/dist/**/*.test.js',
      'test/dist/**/*.test.js',
      `!${endToEnd}`,
    ],
    flags: [],
    timeoutMs: 15 * 60_000,
  },
  {
    name: 'end to end',
    patterns: [endToEnd],
    flags: ['--serial', '--concurrency=1'],
    timeoutMs: 30 * 60_000,
  },
]

async function main(patterns: readonly string[]): Promise<number> {
  const chosen: readonly Group[] =
    patterns.length === 0
      ? groups
      : [{ name: 'chosen', patterns, flags: ['--concurrency=1'], timeoutMs: 30 * 60_000 }]
  const counts: TapCount[] = []
  for (const group of chosen) counts.push(await run(group))
  await removeLeftovers()
  const total = sum(counts)
  console.log(summary(total))
  return total.failed === 0 ? 0 : 1
}

/** Runs one group; shows each test as it ends, and everything about those that failed. */
function run(group: Group): Promise<TapCount> {
  console.log(`# ${group.name}`)
  const args = [ava, '--tap', ...group.flags, ...group.patterns]
  const child = spawn(process.execPath, args, {
    cwd: repository,
    env: { ...process.env, PATH: systemPath() },
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  })
  const end = (why: string): void => {
    console.log(`# ${group.name}: ${why}, ended`)
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  }
  const timer = setTimeout(() => {
    end(`not done after ${group.timeoutMs} ms`)
  }, group.timeoutMs)
  const silence = setTimeout(() => {
    end(`nothing ended within ${silenceMsMax} ms`)
  }, silenceMsMax)
  const interrupt = (): void => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGTERM')
  }
  process.once('SIGINT', interrupt)
  process.once('SIGTERM', interrupt)
  let count = nothingCounted
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (line) => {
    silence.refresh()
    count = countLine(count, line)
    if (!/^(TAP version|1\.\.|# |\s*$)/.test(line)) console.log(line)
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => {
      clearTimeout(timer)
      clearTimeout(silence)
      process.off('SIGINT', interrupt)
      process.off('SIGTERM', interrupt)
      resolve(concluded(count, code ?? undefined))
    })
  })
}

/** Without `node_modules/.bin`, which npm puts first: a package there has an `nft` that is not the one of nftables. */
function systemPath(): string {
  const entries = (process.env['PATH'] ?? '').split(':')
  const sane = entries.filter((entry) => !entry.endsWith('node_modules/.bin'))
  return [...new Set([...sane, '/usr/sbin', '/sbin'])].join(':')
}

process.exitCode = await main(process.argv.slice(2))
