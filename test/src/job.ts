/** Runs one job of `npm test`; shows each test as it ends, and everything about those that failed. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { monotonicMs } from '@holdfast/lab'
import { Custody } from './custody.js'
import type { Job } from './jobs.js'
import { concluded, countLine, nothingCounted, point, type TapCount } from './tap.js'

/**
 * Longer than any test may take. A process that a failed test left behind can hold ava's pipes open, and ava waits for it
 * for ever.
 */
const silenceMsMax = 420_000

/** The whole job is ended after this: a hanging run must not look like a running one. */
const jobMsMax = 15 * 60_000

/** Within this the last lines of a runner that ended are read. */
const outputMsMax = 10_000

export interface Place {
  readonly repository: string
  /** Where the tests write in passing. */
  readonly directory: string
  /** Shows some lines together, whatever runs beside. */
  readonly show: (lines: readonly string[]) => void
}

export interface Done {
  readonly count: TapCount
  /** Milliseconds of each file, by its name. */
  readonly files: ReadonlyMap<string, number>
}

export async function runJob(job: Job, place: Place, signal: AbortSignal): Promise<Done> {
  const custody = new Custody(job.name)
  await custody.begin()
  const child = start(job, custody, place)
  const end = (why: string): void => {
    place.show([`# ${job.name}: ${why}, ended`])
    void custody.end()
  }
  const timer = setTimeout(end, jobMsMax, `not done after ${jobMsMax} ms`)
  const silence = setTimeout(end, silenceMsMax, `nothing ended within ${silenceMsMax} ms`)
  const interrupt = (): void => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGTERM')
  }
  signal.addEventListener('abort', interrupt, { once: true })
  const report = new Report(job, place.show)
  createInterface({ input: child.stdout }).on('line', (line) => {
    silence.refresh()
    report.take(line)
  })
  const { code, left } = await ended(child, custody)
  clearTimeout(timer)
  clearTimeout(silence)
  signal.removeEventListener('abort', interrupt)
  report.close(left)
  await custody.close()
  return { count: concluded(report.count, code), files: report.files }
}

/**
 * Lets those go first who wait for something in a bounded time. A kernel that shares its time among sessions has a priority for the
 * session besides.
 */
const yielding = [
  'sh',
  '-c',
  '[ ! -e /proc/self/autogroup ] || echo 5 >/proc/self/autogroup; exec nice -n 5 "$0" "$@"',
]

function start(job: Job, custody: Custody, place: Place) {
  const ava = join(place.repository, 'node_modules/ava/entrypoints/cli.mjs')
  // A file with labs runs them one at a time.
  const serial = job.kind === 'end to end' ? ['--serial'] : []
  const first = job.kind === 'computing' ? yielding : []
  const runner = [process.execPath, ava, '--tap', '--concurrency=1', ...serial, ...job.files]
  const ours = [...first, ...runner]
  const [command = '', ...args] = custody.joining(ours)
  return spawn(command, args, {
    cwd: place.repository,
    env: {
      ...process.env,
      PATH: systemPath(),
      TMPDIR: place.directory,
      HOLDFAST_TEST_TMP: process.env['HOLDFAST_TEST_TMP'] ?? place.directory,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  })
}

/** The exit code, after the last line of output. What still runs then is ended: it would hold the output open. */
async function ended(child: ChildProcess, custody: Custody) {
  const closed = once(child, 'close')
  const [code] = (await once(child, 'exit')) as [number | null] // As documented.
  const left = await custody.end()
  await Promise.race([closed, delay(outputMsMax, undefined, { ref: false })])
  child.stdout?.destroy()
  return { code: code ?? undefined, left }
}

/** What the job says, a test at a time. */
class Report {
  count: TapCount = nothingCounted
  readonly files = new Map<string, number>()
  readonly #job: Job
  readonly #show: Place['show']
  #lines: string[] = []
  #sinceMs = monotonicMs()

  constructor(job: Job, show: Place['show']) {
    this.#job = job
    this.#show = show
  }

  take(line: string): void {
    this.count = countLine(this.count, line)
    if (/^(TAP version|1\.\.|# |\s*$)/.test(line)) return
    const test = point(line)
    if (test === undefined) {
      this.#lines.push(line)
      return
    }
    this.#flush()
    this.#lines.push(`${test.verdict} - ${this.#job.name} › ${test.title}`)
    this.#spent(test.title)
  }

  close(left: readonly string[]): void {
    this.#flush()
    this.#show(left.map((line) => `# ${this.#job.name}: left behind, ended now: ${line}`))
  }

  /** The files of a job run one after the other: since the last test ended, the file of this one ran. */
  #spent(title: string): void {
    const steps = this.#job.files.length === 1 ? [] : title.split(' › ').slice(0, -1)
    const file = [this.#job.name, ...steps].join(' › ')
    const nowMs = monotonicMs()
    this.files.set(file, (this.files.get(file) ?? 0) + nowMs - this.#sinceMs)
    this.#sinceMs = nowMs
  }

  #flush(): void {
    this.#show(this.#lines)
    this.#lines = []
  }
}

/** Without `node_modules/.bin`, which npm puts first: a package there has an `nft` that is not the one of nftables. */
function systemPath(): string {
  const entries = (process.env['PATH'] ?? '').split(':')
  const sane = entries.filter((entry) => !entry.endsWith('node_modules/.bin'))
  return [...new Set([...sane, '/usr/sbin', '/sbin'])].join(':')
}
