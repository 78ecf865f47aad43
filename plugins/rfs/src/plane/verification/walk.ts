/**
 * The server's way through the trees: question after question, each built from what is there at the moment when it is
 * sent. What differs is asked once more before it counts, and repaired when that was ordered. Never waits: it yields.
 */
import type { DifferenceKind } from '../../driver/protocol.js'
import { isLeftOut, type Exclusions } from '../exclusions.js'
import { join, parentOf } from '../journal/path.js'
import { E, MODE, close, pread } from '../libc.js'
import { ROOT } from '../nodes.js'
import type { BytePath, Journal } from '../resync-port.js'
import { extentsOf } from '../resync/content.js'
import { nextData, TreeError, isAbsent, must, namesOf, openDirectory } from '../resync/tree.js'
import type { Volume } from '../volume.js'
import type { Findings } from './findings.js'
import { hashOf, look, withFile, type Looked } from './look.js'
import { PATH_MAX, PIECE_BYTES, type Answer, type Question } from './messages.js'

/** Names of files with several names that are remembered. */
const LINKED_MAX = 1_000_000
const LISTING_BYTES = 16 * 1024
const ORDER_TRIES = 50

/** What goes to the follower next; the answer comes back into the generator. */
export interface Asked {
  readonly volume: Volume
  readonly question: Question
}
type Asking<T> = Generator<Asked, T, Answer>
/** Undefined: there is nothing to ask any more, for the tree has changed. */
type Build = () => Question | undefined
type Content = Extract<Question, { kind: 'content' }>

export interface WalkParts {
  readonly journal: Pick<Journal, 'touchEntry' | 'touchZone' | 'flush'>
  readonly exclusions: ReadonlyMap<number, Exclusions>
  readonly findings: Findings
  readonly repair: boolean
  /** What the kernel set on this node by itself is told to the follower before a question about it is. */
  readonly settle: (volume: Volume, node: number) => void
}

export class Walk {
  /** The first name of each inode with several names, by volume and inode. */
  readonly #linked = new Map<string, BytePath>()
  readonly #listing = Buffer.alloc(LISTING_BYTES)

  constructor(readonly parts: WalkParts) {}

  /** Everything at and beneath a path. */
  *tree(volume: Volume, top: BytePath): Asking<void> {
    const pending = [top]
    for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
      if (path === top && !(yield* this.#name(volume, top))) return
      const directory = openDirectory(volume.root, path)
      // Removed since its parent was listed.
      if (isAbsent(directory)) continue
      try {
        must(directory, 'open', path)
        for (const { name } of namesOf(directory, path, this.#listing)) {
          const below = join(path, name)
          if (yield* this.#name(volume, below)) pending.push(below)
        }
      } catch (error) {
        this.#unreadable(volume, path, error)
      } finally {
        if (directory >= 0) close(directory)
      }
      yield* this.#extras(volume, path)
    }
  }

  /** One name, and its content. True: a directory that both sides have. */
  *#name(volume: Volume, path: BytePath): Asking<boolean> {
    try {
      return yield* this.#visit(volume, path)
    } catch (error) {
      this.#unreadable(volume, path, error)
      return false
    }
  }

  *#visit(volume: Volume, path: BytePath): Asking<boolean> {
    const found = this.#look(volume, path)
    if (found === undefined) return false
    if (path.length >= PATH_MAX) {
      this.parts.findings.skipped++
      return false
    }
    this.parts.findings.names++
    const differs = yield* this.#verify(volume, path, {
      build: () => {
        const facts = this.#look(volume, path)
        return facts && { kind: 'entry', path, facts }
      },
      mend: (what) => this.#place(volume, path, what),
    })
    const { repair } = this.parts
    const isOther = differs.some((one) => ABSENT.includes(one))
    if (isOther && !repair) return false
    if (found.links > 1 && (found.mode & MODE.TYPE) !== MODE.DIRECTORY) {
      yield* this.#links(volume, path, found)
    }
    // What was just made on the other side has no content yet: that was told already.
    if ((found.mode & MODE.TYPE) === MODE.FILE) yield* this.#content(volume, path, isOther)
    return (found.mode & MODE.TYPE) === MODE.DIRECTORY
  }

  *#content(volume: Volume, path: BytePath, isNew: boolean): Asking<void> {
    const { findings } = this.parts
    const { zoneBytes } = findings
    for (let at = 0; ;) {
      const next = withFile(volume.root, path, (fd, size) => pieceAt(fd, at, size, path))
      if (next === undefined || next === 'end') return
      if (next.kind === 'hole') {
        const { offset } = yield { volume, question: next }
        findings.bytes += Math.max(0, Math.min(offset, next.end) - at)
        // Where the other side has data, zeros or not, the content is compared.
        at = offset >= next.end ? next.end : pieceOf(offset)
        if (offset >= next.end) continue
      }
      const from = at
      const zone = Math.floor(from / zoneBytes)
      let length = 0
      const differs = yield* this.#verify(volume, path, {
        build: () => {
          const content = withFile(volume.root, path, (fd, size) => contentAt(fd, from, size, path))
          length = content?.length ?? 0
          return content
        },
        mend: () => this.#write(volume, path, zone),
        zone,
        isTold: isNew,
      })
      findings.bytes += length
      // A zone is told once, and sent as a whole.
      at = differs.length > 0 ? (zone + 1) * zoneBytes : from + PIECE_BYTES
    }
  }

  /** Names that are links of one file here must be so there. */
  *#links(volume: Volume, path: BytePath, { inode }: Looked): Asking<void> {
    const key = `${volume.index} ${inode}`
    const first = this.#linked.get(key)
    if (first === undefined || this.#look(volume, first)?.inode !== inode) {
      if (this.#linked.size < LINKED_MAX) this.#linked.set(key, path)
      return
    }
    const ifLinks = (kind: 'same' | 'link'): Question | undefined => {
      const [one, other] = [this.#look(volume, path), this.#look(volume, first)]
      const areLinks = one !== undefined && one.inode === other?.inode
      return areLinks && first !== path ? { kind, path, other: first } : undefined
    }
    yield* this.#verify(volume, path, {
      build: () => ifLinks('same'),
      mend: () => this.#changeName(volume, path, () => ifLinks('link')),
    })
  }

  /** Names that only the follower has. */
  *#extras(volume: Volume, path: BytePath): Asking<void> {
    for (let first = true; ; first = false) {
      const answer = yield { volume, question: { kind: 'names', path, first } }
      if (answer.differs.includes('unreadable')) {
        this.parts.findings.add(volume, path, { what: ['unreadable'], repaired: false })
      }
      for (const name of answer.names) {
        const below = join(path, name)
        const ifAbsent = (kind: 'absent' | 'remove'): Question | undefined =>
          this.#look(volume, below, true) === undefined ? { kind, path: below } : undefined
        yield* this.#verify(volume, below, {
          build: () => ifAbsent('absent'),
          mend: () => this.#changeName(volume, below, () => ifAbsent('remove')),
        })
      }
      if (answer.isEnd) return
    }
  }

  /** Asks, asks again what differs, repairs it when that was ordered. Returns what differed. */
  *#verify(
    volume: Volume,
    path: BytePath,
    check: {
      readonly build: Build
      readonly mend: (what: readonly DifferenceKind[]) => Asking<void>
      readonly zone?: number
      /** The difference was told with another one. */
      readonly isTold?: boolean
    },
  ): Asking<readonly DifferenceKind[]> {
    const { build, zone, mend, isTold = false } = check
    const { findings, repair } = this.parts
    if ((yield* ask(volume, build)).length === 0) return []
    const what = yield* ask(volume, build)
    if (what.length === 0) return []
    let repaired = false
    if (repair && !what.includes('unreadable')) {
      yield* mend(what)
      repaired = (yield* ask(volume, build)).length === 0
    }
    const finding = { what, repaired, ...(zone === undefined ? {} : { zone }) }
    if (!isTold || !repaired) findings.add(volume, path, finding)
    return what
  }

  /** What is under a name now; left out: nothing. */
  #look(volume: Volume, path: BytePath, any = false): Looked | undefined {
    const found = look(volume.root, path)
    if (found === undefined || any) return found
    const isDirectory = (found.mode & MODE.TYPE) === MODE.DIRECTORY
    if (isLeftOut(this.parts.exclusions, volume.index, path, isDirectory)) return undefined
    this.parts.settle(volume, path === '' ? ROOT : found.inode)
    return found
  }

  *#place(volume: Volume, path: BytePath, what: readonly DifferenceKind[]): Asking<void> {
    yield* this.#giveAttributes(volume, path)
    if (what.some((one) => ABSENT.includes(one))) {
      yield* this.#giveAttributes(volume, parentOf(path))
    }
  }

  *#changeName(volume: Volume, path: BytePath, build: Build): Asking<void> {
    yield* this.#order(volume, build)
    yield* this.#giveAttributes(volume, parentOf(path))
  }

  /** Also after other corrections: they change times that the kernel of the other side sets by itself. */
  *#giveAttributes(volume: Volume, path: BytePath): Asking<void> {
    yield* this.#order(volume, () => {
      const facts = this.#look(volume, path)
      return facts && { kind: 'place', path, facts }
    })
  }

  *#write(volume: Volume, path: BytePath, zone: number): Asking<void> {
    const { zoneBytes } = this.parts.findings
    const end = (zone + 1) * zoneBytes
    for (let at: number | undefined = zone * zoneBytes; at !== undefined && at < end;) {
      const from: number = at
      let next: number | undefined
      yield* this.#order(volume, () => {
        const piece = withFile(volume.root, path, (fd, size) =>
          correctionAt(fd, from, Math.min(end, size), path),
        )
        next = piece && from + (piece.kind === 'punch' ? piece.length : piece.bytes.length)
        return piece
      })
      at = next
    }
    yield* this.#giveAttributes(volume, path)
  }

  /**
   * Built anew for each try: an older content would overwrite a newer one over there. Refused while an fsync of the file is
   * under way there; what stays refused is told by the check that follows.
   */
  *#order(volume: Volume, build: Build): Asking<void> {
    for (let tries = 0; tries < ORDER_TRIES; tries++) {
      const question = build()
      if (question === undefined) return
      this.#touch(volume, question)
      const { differs } = yield { volume, question }
      if (differs.length === 0) return
    }
  }

  /** Until it is done over there, both journals say that it may differ. */
  #touch(volume: Volume, question: Question): void {
    const { journal, findings } = this.parts
    const { path } = question
    if (question.kind === 'write' || question.kind === 'punch') {
      journal.touchZone(volume.index, path, Math.floor(question.offset / findings.zoneBytes))
    } else journal.touchEntry(volume.index, path)
    journal.flush()
  }

  #unreadable(volume: Volume, path: BytePath, error: unknown): void {
    if (!(error instanceof TreeError)) throw error
    // It was removed while it was read.
    if (error.errno === E.NOENT) return
    this.parts.findings.add(volume, path, { what: ['unreadable'], repaired: false })
  }
}

/** There is no such file over there, or another one. */
const ABSENT: readonly DifferenceKind[] = ['missing', 'type', 'target', 'device']

function* ask(volume: Volume, build: Build): Asking<readonly DifferenceKind[]> {
  const question = build()
  if (question === undefined) return []
  return (yield { volume, question }).differs
}

/** The hole at this offset when it is at least a piece, or anything else: content. */
function pieceAt(
  fd: number,
  offset: number,
  size: number,
  path: BytePath,
): Extract<Question, { kind: 'hole' }> | { readonly kind: 'data' } | 'end' {
  if (offset >= size) return 'end'
  const data = nextData(fd, offset, size)
  const end = data >= size ? size : pieceOf(data)
  return end - offset > PIECE_BYTES ? { kind: 'hole', path, offset, end } : { kind: 'data' }
}

function contentAt(fd: number, offset: number, size: number, path: BytePath): Content | undefined {
  const length = Math.min(PIECE_BYTES, size - offset)
  if (length <= 0) return undefined
  return { kind: 'content', path, offset, length, hash: hashOf(fd, offset, length, path) }
}

/** The piece of data, or the hole, that is here at this offset. */
function correctionAt(
  fd: number,
  offset: number,
  end: number,
  path: BytePath,
): Extract<Question, { kind: 'write' | 'punch' }> | undefined {
  for (const { hole, length } of extentsOf(fd, offset, end, PIECE_BYTES)) {
    if (hole) return { kind: 'punch', path, offset, length }
    const bytes = Buffer.alloc(length)
    const got = must(pread(fd, bytes, length, offset), 'read', path)
    return got === 0 ? undefined : { kind: 'write', path, offset, bytes: bytes.subarray(0, got) }
  }
  return undefined
}

function pieceOf(offset: number): number {
  return offset - (offset % PIECE_BYTES)
}
