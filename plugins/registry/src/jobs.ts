/** Work that takes longer than a request should: it runs here, and whoever asked looks at its progress. */
import { type Clock, HoldfastError, messageOf } from '@holdfast/sdk'

const jobsMax = 32
const runningMax = 4
/** A job ends after this, whatever it waits for. */
const jobMsMax = 60 * 60_000
const lookMs = 1_000

export interface Progress {
  readonly bytes: number
  readonly total: number
}

export interface JobView extends Progress {
  readonly job: string
  readonly state: 'running' | 'done' | 'failed'
  readonly result: unknown
  readonly error:
    { readonly code: string; readonly message: string; readonly hint?: string } | undefined
}

interface Job {
  view: JobView
  readonly end: AbortController
  finished: Promise<void>
}

export type Work = (signal: AbortSignal, tell: (progress: Progress) => void) => Promise<unknown>

export class Jobs {
  private readonly jobs = new Map<string, Job>()
  private last = 0

  constructor(
    private readonly clock: Pick<Clock, 'after'>,
    /** A defect in a job is no reason to end the daemon; it is told. */
    private readonly onDefect: (text: string) => void,
  ) {}

  start(work: Work): JobView {
    const running = [...this.jobs.values()].filter(({ view }) => view.state === 'running')
    if (running.length >= runningMax) {
      throw new HoldfastError('E_REGISTRY_BUSY', `${runningMax} downloads run already`, {
        hint: 'repeat the order when one of them has ended',
      })
    }
    this.last += 1
    const id = `j${this.last}`
    const nothing = { result: undefined, error: undefined }
    const view: JobView = { job: id, state: 'running', bytes: 0, total: 0, ...nothing }
    const job: Job = { view, end: new AbortController(), finished: Promise.resolve() }
    this.jobs.set(id, job)
    job.finished = this.run(job, work)
    const [oldest] = this.jobs.keys()
    if (this.jobs.size > jobsMax && oldest !== undefined) this.jobs.delete(oldest)
    return view
  }

  /** Answers when the job has ended, or after a second. */
  async look(id: string): Promise<JobView> {
    const job = this.jobs.get(id)
    if (job === undefined) {
      throw new HoldfastError('E_REGISTRY_JOB_UNKNOWN', `there is no job ${id}`, {
        hint: 'the daemon was restarted, or it ended long ago: repeat the order',
      })
    }
    let cancel = (): void => undefined
    const pause = new Promise<void>((resolve) => {
      cancel = this.clock.after(lookMs, resolve)
    })
    await Promise.race([job.finished, pause])
    cancel()
    return job.view
  }

  endAll(): void {
    for (const { end } of this.jobs.values()) end.abort(new Error('the daemon ends'))
  }

  private async run(job: Job, work: Work): Promise<void> {
    const cancel = this.clock.after(jobMsMax, () => {
      job.end.abort(new Error('it took longer than an hour'))
    })
    try {
      const result = await work(job.end.signal, (progress) => {
        job.view = { ...job.view, ...progress }
      })
      job.view = { ...job.view, state: 'done', result }
    } catch (thrown) {
      job.view = { ...job.view, state: 'failed', error: this.errorOf(thrown) }
    } finally {
      cancel()
    }
  }

  private errorOf(thrown: unknown): NonNullable<JobView['error']> {
    if (thrown instanceof HoldfastError) {
      const { code, message, hint } = thrown
      return hint === undefined ? { code, message } : { code, message, hint }
    }
    this.onDefect(messageOf(thrown))
    return { code: 'E_SYSTEM', message: messageOf(thrown) }
  }
}
