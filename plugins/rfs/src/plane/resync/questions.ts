/** What the source told of and the target has not answered. Answers come in the order of the questions. */
import { MalformedError } from '../journal/bytes.js'
import type { BytePath } from '../resync-port.js'
import type { PendingFile } from './files.js'

export interface FileQuestion extends PendingFile {
  readonly kind: 'file'
  readonly volume: number
  /** What it holds was told: the target need not answer when it has the same. */
  readonly printed: boolean
}

export interface DirectoryQuestion {
  readonly kind: 'directory'
  readonly id: number
  readonly volume: number
  readonly path: BytePath
}

/** What the source does with the answer to an entry. */
export type Question = FileQuestion | DirectoryQuestion

/** Each of these holds a file open on the target. */
const ASKED_MAX = 512
/** Of these only those that differ do. Together with the others less than the target allows. */
const PRINTED_MAX = 1024

export class Questions {
  readonly #open = new Map<number, Question>()
  #printed = 0

  get count(): number {
    return this.#open.size
  }

  /** Is there room for another one beside so many files whose content is under way? */
  hasRoomBeside(files: number): boolean {
    return this.#open.size - this.#printed + files < ASKED_MAX && this.#printed < PRINTED_MAX
  }

  add(question: Question): void {
    this.#open.set(question.id, question)
    if (isPrinted(question)) this.#printed += 1
  }

  /** Takes the question that was answered. */
  answered(id: number): Question {
    const question = this.#open.get(id)
    if (question === undefined) throw new MalformedError(`an answer to question ${id}`)
    this.#remove(question)
    return question
  }

  /** Takes all questions up to this one: the target has the same. */
  *settledUpTo(id: number): Generator<FileQuestion> {
    for (const question of this.#open.values()) {
      if (question.id > id) return
      if (!isPrinted(question)) throw new MalformedError(`no answer to question ${question.id}`)
      this.#remove(question)
      yield question
    }
  }

  close(): void {
    for (const question of this.#open.values()) {
      if (question.kind === 'file') question.directory.release()
    }
    this.#open.clear()
    this.#printed = 0
  }

  #remove(question: Question): void {
    this.#open.delete(question.id)
    if (isPrinted(question)) this.#printed -= 1
  }
}

function isPrinted(question: Question): question is FileQuestion {
  return question.kind === 'file' && question.printed
}
