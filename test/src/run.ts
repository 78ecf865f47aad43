/**
 * `npm test`: runs the unit tests of all packages, then the end to end tests, and ends with one line that says how
 * many passed. Arguments, if any, are patterns of compiled test files to run instead of all.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { removeLeftovers } from '@holdfast/lab'
import { Custody } from './custody.js'
import { Room } from './room.js'
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
const silenceMsMax = 420_000

/** Within this the last lines of a runner that ended are read. */
const outputMsMax = 10_000

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
    // Two labs at once: a test mostly waits, for time-outs and for daemons that begin.
    flags: ['--serial', '--concurrency=2'],
    timeoutMs: 30 * 60_000,
  },
]

async function main(patterns: readonly string[]): Promise<number> {
  const chosen: readonly Group[] =
    patterns.length === 0
      ? groups
      : [{ name: 'chosen', patterns, flags: ['--concurrency=1'], timeoutMs: 30 * 60_000 }]
  const custody = new Custody()
  await custody.begin()
  const room = await Room.make()
  const counts: TapCount[] = []
  for (const group of chosen) counts.push(await run(group, custody, room))
  await removeLeftovers()
  await custody.close()
  await room.remove()
  const total = sum(counts)
  console.log(summary(total))
  return total.failed === 0 ? 0 : 1
}

/** Runs one group; shows each test as it ends, and everything about those that failed. */
async function run(group: Group, custody: Custody, room: Room): Promise<TapCount> {
  console.log(`# ${group.name}`)
  const ours = [process.execPath, ava, '--tap', ...group.flags, ...group.patterns]
  const [command = '', ...args] = custody.joining(ours)
  const child = spawn(command, args, {
    cwd: repository,
    env: {
      ...process.env,
      PATH: systemPath(),
      TMPDIR: room.directory,
      HOLDFAST_TEST_TMP: process.env['HOLDFAST_TEST_TMP'] ?? room.directory,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  })
  const end = (why: string): void => {
    console.log(`# ${group.name}: ${why}, ended`)
    void custody.end()
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
  const code = await ended(child, custody)
  clearTimeout(timer)
  clearTimeout(silence)
  process.off('SIGINT', interrupt)
  process.off('SIGTERM', interrupt)
  return concluded(count, code)
}

/** The exit code, after the last line of output. What still runs then is ended: it would hold the output open. */
async function ended(child: ChildProcess, custody: Custody): Promise<number | undefined> {
  const closed = once(child, 'close')
  const [code] = (await once(child, 'exit')) as [number | null] // As documented.
  for (const left of await custody.end()) console.log(`# left behind, ended now: ${left}`)
  await Promise.race([closed, delay(outputMsMax, undefined, { ref: false })])
  child.stdout?.destroy()
  return code ?? undefined
}

/** Without `node_modules/.bin`, which npm puts first: a package there has an `nft` that is not the one of nftables. */
function systemPath(): string {
  const entries = (process.env['PATH'] ?? '').split(':')
  const sane = entries.filter((entry) => !entry.endsWith('node_modules/.bin'))
  return [...new Set([...sane, '/usr/sbin', '/sbin'])].join(':')
}

process.exitCode = await main(process.argv.slice(2))
