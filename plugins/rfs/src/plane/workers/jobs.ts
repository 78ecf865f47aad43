/** The memory that the loop shares with one worker thread: one job at a time, plain numbers. */

export const JOB = { FSYNC: 1, FDATASYNC: 2, SYNCFS: 3, READ: 4 } as const

/** Values of `state`. */
export const STATE = { IDLE: 0, WORK: 1, DONE: 2, END: 3 } as const

export interface Mailbox {
  /** [state, job, descriptor, FUSE descriptor, size, uniqueLow, uniqueHigh] */
  readonly words: Int32Array
  /** [offset, result, microseconds that it took] */
  readonly numbers: Float64Array
}

const WORD_BYTES = 32
export const MAILBOX_BYTES = WORD_BYTES + 24

export function mailboxOn(memory: SharedArrayBuffer): Mailbox {
  return {
    words: new Int32Array(memory, 0, WORD_BYTES / 4),
    numbers: new Float64Array(memory, WORD_BYTES, 3),
  }
}
