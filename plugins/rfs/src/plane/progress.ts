/** Progress of a resynchronisation as the operator sees it: rates and times of the round that runs. Pure. */
import type { Progress } from '@holdfast/sdk'
import { megabytes } from '../megabytes.js'
import type { ResyncProgress } from './resync-port.js'

export class ProgressMeter {
  #startedMs: number
  #last: ResyncProgress | undefined

  constructor(nowMs: number) {
    this.#startedMs = nowMs
  }

  of(progress: ResyncProgress, nowMs: number): Progress {
    // Each round counts from zero.
    if (progress.filesDone < (this.#last?.filesDone ?? 0)) this.#startedMs = nowMs
    this.#last = progress
    const { filesDone, filesTotal, bytesDone, bytesTotal } = progress
    const elapsedMs = nowMs - this.#startedMs
    const done = shareDone(progress)
    return {
      phase: phaseOf(progress.phase),
      filesDone,
      filesTotal,
      bytesDone,
      bytesTotal,
      bytesPerSecond: elapsedMs > 0 ? Math.round((bytesDone * 1000) / elapsedMs) : 0,
      etaSeconds: done === 0 ? undefined : Math.ceil((elapsedMs / 1000) * (1 / done - 1)),
    }
  }
}

/** Of files and of bytes, what is further behind: many small files take long although they are few bytes. */
function shareDone({ filesDone, filesTotal, bytesDone, bytesTotal }: ResyncProgress): number {
  const share = (done: number, total: number): number => (total === 0 ? 1 : done / total)
  return Math.min(share(filesDone, filesTotal), share(bytesDone, bytesTotal))
}

/** One line for the log. */
export function progressText(progress: Progress): string {
  const { phase, filesDone, filesTotal, bytesDone, bytesTotal, bytesPerSecond, etaSeconds } =
    progress
  const left = etaSeconds === undefined ? '' : `, about ${etaSeconds} s left`
  const bytes = `${megabytes(bytesDone)} of ${megabytes(bytesTotal ?? bytesDone)} MB`
  return (
    `${phase}: ${filesDone} of ${filesTotal ?? filesDone} files, ${bytes}, ` +
    `${megabytes(bytesPerSecond)} MB/s${left}`
  )
}

/** For the log: what others had changed. */
export function searchedFields({
  count,
  ms,
}: {
  readonly count: number
  readonly ms: number
}): Readonly<Record<string, unknown>> {
  const text =
    count === 0
      ? 'nothing was changed in the directories while the module was stopped'
      : `${count} names were changed on this node while the module was stopped: they are compared`
  return { text, count, ms }
}

function phaseOf(phase: ResyncProgress['phase']): Progress['phase'] {
  if (phase === 'comparing') return 'compare'
  return phase === 'copying' ? 'copy' : 'delta'
}
