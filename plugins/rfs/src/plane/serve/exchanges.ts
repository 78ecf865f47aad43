/**
 * Which names were exchanged by requests that may not have been answered. Of every other change the tree itself shows whether it
 * was made; two names that were exchanged look like two that were not. Rare, so a line in a file before each is cheap enough.
 */
import { appendFileSync, readFileSync, renameSync, rmSync } from 'node:fs'
import type { Request } from '../fuse/request.js'
import type { Volume } from '../volume.js'
import { PENDING_MAX } from './pending.js'

const RESENT = 0x8000_0000

export class Exchanges {
  readonly #former: string
  /** Of requests that a data plane which died had begun: the inode that had the first name. */
  readonly #begun: ReadonlyMap<string, number>
  #lines = 0

  /** `isSuccessor`: what is in the file concerns requests that will come again. */
  constructor(
    readonly file: string,
    isSuccessor: boolean,
  ) {
    this.#former = `${file}.former`
    this.#begun = isSuccessor ? new Map([...linesOf(this.#former), ...linesOf(file)]) : new Map()
    if (isSuccessor) return
    rmSync(file, { force: true })
    rmSync(this.#former, { force: true })
  }

  /** To be called before it is done; `inode` has the first name. */
  begin(volume: Volume, request: Request, inode: number): void {
    // More can't be unanswered: what is in the file before this one is of the past.
    if (this.#lines++ >= PENDING_MAX) {
      renameSync(this.file, this.#former)
      this.#lines = 1
    }
    appendFileSync(this.file, `${keyOf(volume, request)} ${inode}\n`)
  }

  /** The inode that had the first name when this request was begun by another data plane; undefined: it was not. */
  begun(volume: Volume, request: Request): number | undefined {
    return this.#begun.get(keyOf(volume, request))
  }
}

function keyOf(volume: Volume, { uniqueLow, uniqueHigh }: Request): string {
  const high = uniqueHigh >= RESENT ? uniqueHigh - RESENT : uniqueHigh
  return `${volume.index}:${high}:${uniqueLow}`
}

function linesOf(file: string): [string, number][] {
  let text: string
  try {
    text = readFileSync(file, 'latin1')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
  // The last line may be cut: then its exchange was not begun.
  const lines = text.split('\n').slice(0, -1)
  return lines.map((line) => {
    const [key = '', inode = ''] = line.split(' ')
    return [key, Number(inode)]
  })
}
