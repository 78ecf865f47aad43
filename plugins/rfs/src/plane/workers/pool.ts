/** A few worker threads for what may take long. The loop hands over a job and is woken by an eventfd when it is done. */
import { Worker } from 'node:worker_threads'
import { assert } from '@holdfast/sdk'
import { fdatasync, fsync } from '../libc.js'
import type { Promptness } from '../promptness.js'
import { JOB, MAILBOX_BYTES, STATE, mailboxOn, type Mailbox } from './jobs.js'

/** Threads: more fsyncs at once than this gain nothing on one file system. */
const THREADS = 4
/** Jobs that may wait for a thread; the kernel never has more requests of us in flight than ops may wait. */
const WAITING_MAX = 16_384

export interface Job {
  readonly job: number
  readonly fd: number
  readonly read?: {
    readonly fuse: number
    readonly size: number
    readonly offset: number
    readonly uniqueLow: number
    readonly uniqueHigh: number
  }
  /** Result of the system call: >= 0 or -errno; and how long it took by itself. */
  readonly done: (result: number, microseconds: number) => void
}

interface Thread {
  readonly worker: Worker
  readonly mailbox: Mailbox
  current: Job | undefined
}

export class WorkerPool {
  readonly #threads: Thread[] = []
  readonly #waiting: Job[] = []
  #next = 0

  /** `wake`: an eventfd in the loop's poll set; call `collect` when it is readable. */
  constructor(
    readonly wake: number,
    readonly onFailed: (error: Error) => void,
  ) {}

  /** Jobs that are not done. */
  get busy(): number {
    const running = this.#threads.filter((thread) => thread.current !== undefined).length
    return running + this.#waiting.length - this.#next
  }

  run(job: Job): void {
    const idle = this.#threads.find((thread) => thread.current === undefined) ?? this.#oneMore()
    if (idle !== undefined) {
      start(idle, job)
      return
    }
    assert(this.#waiting.length - this.#next < WAITING_MAX, 'the jobs that wait are bounded')
    this.#waiting.push(job)
  }

  /** On a disk that was quick lately it is done at once, and `done` called before this returns. */
  fsync(disk: Promptness, fd: number, dataOnly: boolean, done: (result: number) => void): void {
    const finish = (result: number, microseconds: number): void => {
      disk.took(microseconds)
      done(result)
    }
    if (!disk.isPrompt) {
      this.run({ job: dataOnly ? JOB.FDATASYNC : JOB.FSYNC, fd, done: finish })
      return
    }
    const begun = performance.now()
    const result = dataOnly ? fdatasync(fd) : fsync(fd)
    finish(result, (performance.now() - begun) * 1000)
  }

  syncfs(fd: number, done: (result: number) => void): void {
    this.run({ job: JOB.SYNCFS, fd, done })
  }

  /** Takes what is done, and starts what waits. */
  collect(): void {
    for (const thread of this.#threads) {
      const { current, mailbox } = thread
      if (current === undefined || Atomics.load(mailbox.words, 0) !== STATE.DONE) continue
      const result = mailbox.numbers[1] ?? 0
      const microseconds = mailbox.numbers[2] ?? 0
      thread.current = undefined
      const next = this.#take()
      if (next !== undefined) start(thread, next)
      current.done(result, microseconds)
    }
  }

  async stop(): Promise<void> {
    for (const { mailbox } of this.#threads) {
      Atomics.store(mailbox.words, 0, STATE.END)
      Atomics.notify(mailbox.words, 0)
    }
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()))
  }

  /** Each has a heap of its own, so they are made when there is work for them: an idle module needs none or one. */
  #oneMore(): Thread | undefined {
    if (this.#threads.length === THREADS) return undefined
    const memory = new SharedArrayBuffer(MAILBOX_BYTES)
    const workerData = { memory, wake: this.wake }
    const worker = new Worker(new URL('./thread.js', import.meta.url), { workerData })
    worker.on('error', this.onFailed)
    worker.unref()
    const thread = { worker, mailbox: mailboxOn(memory), current: undefined }
    this.#threads.push(thread)
    return thread
  }

  #take(): Job | undefined {
    const job = this.#waiting[this.#next]
    if (job === undefined) {
      this.#waiting.length = 0
      this.#next = 0
      return undefined
    }
    this.#next++
    if (this.#next >= 1024) {
      this.#waiting.splice(0, this.#next)
      this.#next = 0
    }
    return job
  }
}

function start(thread: Thread, job: Job): void {
  thread.current = job
  const { words, numbers } = thread.mailbox
  words[1] = job.job
  words[2] = job.fd
  if (job.read !== undefined) {
    words[3] = job.read.fuse
    words[4] = job.read.size
    words[5] = job.read.uniqueLow
    words[6] = job.read.uniqueHigh
    numbers[0] = job.read.offset
  }
  Atomics.store(words, 0, STATE.WORK)
  Atomics.notify(words, 0)
}
