/**
 * Runs one script at a time, in a process group of its own that survives the daemon. A small wrapper writes the exit
 * code to a file, so that a restarted daemon learns how a script ended that it did not start.
 */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { openSync } from 'node:fs'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { type Cancel, type Clock, HoldfastError, type Store } from '@holdfast/sdk'
import { errnoOf } from './errno.js'
import { openOutput } from './output.js'
import { findMarked, identify, isAlive, type ProcessIdentity, signal } from './processes.js'

export interface RunRequest {
  readonly script: string
  readonly path: string
  readonly args: readonly string[]
  readonly timeoutMs: number
  readonly environment: Readonly<Record<string, string>>
  readonly directory: string
  /** Undefined: the output is thrown away. */
  readonly logs: string | undefined
}

export type RunOutcome =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'timedOut' }
  | { readonly kind: 'aborted' }
  /** Somebody else killed it: there is no exit code. */
  | { readonly kind: 'killed' }

export interface RunReport {
  readonly outcome: RunOutcome
  readonly output: string | undefined
}

/** What is on disk while a script runs. */
export interface RunRecord {
  readonly format: 1
  readonly id: string
  readonly script: string
  readonly args: readonly string[]
  /** Monotonic: it stays comparable until the next boot, and so long lives the record. */
  readonly deadlineMs: number
  readonly output: string | undefined
  /** Undefined between the decision to start it and its start. */
  readonly process: ProcessIdentity | undefined
}

/** Result by rename: it is there completely or not at all. */
const wrapper =
  'result=$1; shift; "$@"; code=$?; printf "%s\\n" "$code" >"$result.new" && mv -f "$result.new" "$result"'
const pollMs = 50
/** A group that was killed and is not gone after this hangs in the kernel. */
const killWaitMs = 5_000
const recordName = 'running'

export class Runner {
  private ended: Promise<void> | undefined

  constructor(
    private readonly parts: {
      readonly clock: Clock
      readonly store: Store['volatile']
      /** For results; gone after a reboot. */
      readonly directory: string
    },
  ) {}

  async run(request: RunRequest, abort: AbortSignal): Promise<RunReport> {
    if (abort.aborted) return { outcome: { kind: 'aborted' }, output: undefined }
    const { clock, store, directory } = this.parts
    await mkdir(directory, { recursive: true })
    const output =
      request.logs === undefined
        ? undefined
        : await openOutput(request.logs, clock.wallMs(), request.script)
    let record: RunRecord = {
      format: 1,
      id: randomUUID(),
      script: request.script,
      args: request.args,
      deadlineMs: clock.monotonicMs() + request.timeoutMs,
      output: output?.path,
      process: undefined,
    }
    // Written before the start: a daemon that dies right after it finds the process by its mark.
    await store.write(recordName, record)
    const pid = await this.spawn(request, record, output?.file.fd)
    await output?.file.close()
    record = { ...record, process: await identify(pid) }
    await store.write(recordName, record)
    return this.finish(record, request.timeoutMs, abort)
  }

  /** The script that a daemon before this one left running (or that has ended meanwhile). */
  async left(): Promise<RunRecord | undefined> {
    const record = await this.parts.store.read<RunRecord>(recordName)
    if (record === undefined || record.process !== undefined) return record
    // The wrapper is older than whatever the script has started.
    const marked = await findMarked(markOf(record))
    const [oldest] = [...marked].sort((a, b) => Number(a.startTicks) - Number(b.startTicks))
    return { ...record, process: oldest }
  }

  /** Waits for a script that was left, at most until its own deadline. */
  finish(record: RunRecord, timeoutMs: number, abort: AbortSignal): Promise<RunReport> {
    const limitMs = this.parts.clock.monotonicMs() + timeoutMs
    return this.waitFor(record, Math.min(record.deadlineMs, limitMs), abort)
  }

  /** Ends a script that was left and is not wanted any more. */
  async cancel(record: RunRecord): Promise<void> {
    if ((await this.codeOf(record)) === undefined) await this.killGroup(record)
    await this.forget(record)
  }

  private spawn(request: RunRequest, record: RunRecord, output?: number): Promise<number> {
    const stdout = output ?? openSync('/dev/null', 'w')
    const child = spawn(
      '/bin/sh',
      ['-c', wrapper, 'holdfast-script', this.resultOf(record), request.path, ...request.args],
      {
        detached: true,
        stdio: ['ignore', stdout, stdout],
        cwd: request.directory,
        env: { ...request.environment, ...markVariable(record) },
      },
    )
    child.unref()
    this.ended = new Promise((resolve) => {
      child.once('exit', () => {
        this.ended = undefined
        resolve()
      })
    })
    return new Promise((resolve, reject) => {
      child.once('spawn', () => {
        resolve(child.pid ?? 0)
      })
      child.once('error', (error) => {
        reject(
          new HoldfastError('E_SCRIPT_SPAWN', `${request.path}: ${error.message}`, {
            cause: error,
          }),
        )
      })
    })
  }

  private async waitFor(
    record: RunRecord,
    deadlineMs: number,
    abort: AbortSignal,
  ): Promise<RunReport> {
    const end = async (outcome: RunOutcome): Promise<RunReport> => {
      if (outcome.kind !== 'exited') await this.killGroup(record)
      await this.forget(record)
      return { outcome, output: record.output }
    }
    for (;;) {
      const alive = record.process !== undefined && (await isAlive(record.process))
      // Asked in this order: a process that is gone has written its result before.
      const code = await this.codeOf(record)
      if (code !== undefined) return end({ kind: 'exited', code })
      if (!alive) return end({ kind: 'killed' })
      if (abort.aborted) return end({ kind: 'aborted' })
      if (this.parts.clock.monotonicMs() >= deadlineMs) return end({ kind: 'timedOut' })
      await this.pause()
    }
  }

  private async codeOf(record: RunRecord): Promise<number | undefined> {
    try {
      return Number((await readFile(this.resultOf(record), 'utf8')).trim())
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined
      throw error
    }
  }

  /** The wrapper leads its group; what a script put into another session is not in it. */
  private async killGroup({ process: leader }: RunRecord): Promise<void> {
    // Without its leader the number may mean another group by now.
    if (leader === undefined || !(await isAlive(leader))) return
    const deadlineMs = this.parts.clock.monotonicMs() + killWaitMs
    while (signal(-leader.pid, 'SIGKILL') && this.parts.clock.monotonicMs() < deadlineMs) {
      await this.pause()
    }
  }

  private async forget(record: RunRecord): Promise<void> {
    await this.parts.store.remove(recordName)
    await rm(this.resultOf(record), { force: true })
  }

  private resultOf({ id }: RunRecord): string {
    return `${this.parts.directory}/${id}.exit`
  }

  /** A script that this daemon started ends the pause by its end; a failover does not wait for a timer. */
  private async pause(): Promise<void> {
    let cancel: Cancel | undefined
    const timer = new Promise<void>((resolve) => {
      cancel = this.parts.clock.after(pollMs, resolve)
    })
    await Promise.race(this.ended === undefined ? [timer] : [timer, this.ended])
    cancel?.()
  }
}

function markVariable({ id }: RunRecord): Readonly<Record<string, string>> {
  return { HOLDFAST_SCRIPT_RUN: id }
}

function markOf(record: RunRecord): string {
  return `HOLDFAST_SCRIPT_RUN=${record.id}`
}
