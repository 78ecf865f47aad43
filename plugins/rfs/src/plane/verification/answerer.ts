/**
 * The follower's side of a verification: looks at its own tree at the very place in the stream of ops where the question is,
 * and, when the server repairs, makes a name or a piece as it is there. What it changes is journalled like an op.
 */
import { assertNever } from '@holdfast/sdk'
import type { DifferenceKind } from '../../driver/protocol.js'
import { exclusionsIn, type Exclusions } from '../exclusions.js'
import { MalformedError, Reader, Writer } from '../journal/bytes.js'
import { join } from '../journal/path.js'
import { E, MODE, close } from '../libc.js'
import { KIND, type OpWriter } from '../link/ops.js'
import type { PlaneParts } from '../parts.js'
import type { BytePath } from '../resync-port.js'
import { isNameLeftOut } from '../resync/left-out.js'
import { nextData, TreeError, isAbsent, must, namesOf, openDirectory } from '../resync/tree.js'
import type { Volume } from '../volume.js'
import { Corrections } from './corrections.js'
import { hashOf, look, withFile } from './look.js'
import {
  NAMES_BYTES,
  SAME,
  putAnswer,
  takeQuestion,
  type Answer,
  type Facts,
  type Question,
} from './messages.js'

type Found = Omit<Answer, 'busyMs'>

/** A directory whose names are told, some with each answer. */
interface Listing {
  readonly fd: number
  readonly path: BytePath
  readonly names: Generator<{ readonly name: BytePath }>
}

const LISTING_BYTES = 16 * 1024

export class Answerer {
  readonly #writer = new Writer()
  readonly #exclusions: ReadonlyMap<number, Exclusions>
  readonly #corrections: Corrections
  #listing: Listing | undefined

  constructor(
    parts: Pick<PlaneParts, 'launch' | 'journal' | 'descriptors'>,
    readonly volumes: readonly Volume[],
    readonly answers: Pick<OpWriter, 'about'>,
  ) {
    this.#exclusions = exclusionsIn(parts.launch.volumes)
    this.#corrections = new Corrections(parts)
  }

  /** Answers one question. Returns why it is refused, or undefined. */
  answer(index: number, token: number, body: Uint8Array): string | undefined {
    const began = performance.now()
    const volume = this.volumes[index]
    if (volume === undefined) return 'there is no such volume'
    try {
      const reader = new Reader(body)
      const question = takeQuestion(reader)
      reader.end()
      const found = this.#find(volume, question)
      this.#writer.clear()
      putAnswer(this.#writer, { ...found, busyMs: performance.now() - began })
      this.answers.about(KIND.ANSWER, index, token, this.#writer.view())
      return undefined
    } catch (error) {
      if (error instanceof MalformedError) return error.message
      throw error
    }
  }

  close(): void {
    if (this.#listing !== undefined) close(this.#listing.fd)
    this.#listing = undefined
  }

  #find(volume: Volume, question: Question): Found {
    try {
      switch (question.kind) {
        case 'entry':
          return differing(differencesOf(question.facts, look(volume.root, question.path)))
        case 'absent':
          return differing(look(volume.root, question.path) === undefined ? [] : ['extra'])
        case 'content':
          return this.#content(volume, question)
        case 'hole':
          return { ...SAME, offset: dataAfter(volume, question) }
        case 'same':
          return differing(areLinks(volume, question.path, question.other) ? [] : ['links'])
        case 'names':
          return this.#names(volume, question)
        case 'place':
        case 'write':
        case 'punch':
        case 'remove':
        case 'link':
          this.#corrections.make(volume, question)
          return SAME
        default:
          return assertNever(question)
      }
    } catch (error) {
      // The question is asked again and then reported: a disk that fails here must not end the replication of what works.
      if (!(error instanceof TreeError)) throw error
      return differing([error.errno === E.NOENT ? 'missing' : 'unreadable'])
    }
  }

  #content(volume: Volume, asked: Extract<Question, { kind: 'content' }>): Found {
    const { path, offset, length } = asked
    const isSame = withFile(volume.root, path, (fd) =>
      hashOf(fd, offset, length, path).equals(asked.hash),
    )
    return differing(isSame === true ? [] : ['content'])
  }

  #names(volume: Volume, asked: Extract<Question, { kind: 'names' }>): Found {
    const { path } = asked
    if (asked.first) this.#open(volume, path)
    const listing = this.#listing
    if (listing?.path !== path) return differing(['missing'])
    const exclusions = this.#exclusions.get(volume.index)
    const names: BytePath[] = []
    for (let bytes = 0; bytes < NAMES_BYTES;) {
      const next = listing.names.next()
      if (next.done === true) {
        this.close()
        return { ...SAME, names }
      }
      const { name } = next.value
      bytes += name.length + 2
      if (!isNameLeftOut(exclusions, listing.fd, join(path, name))) names.push(name)
    }
    return { ...SAME, names, isEnd: false }
  }

  #open(volume: Volume, path: BytePath): void {
    this.close()
    const fd = openDirectory(volume.root, path)
    if (isAbsent(fd)) return
    must(fd, 'open', path)
    this.#listing = { fd, path, names: namesOf(fd, path, Buffer.alloc(LISTING_BYTES)) }
  }
}

function differing(differs: readonly DifferenceKind[]): Found {
  return { ...SAME, differs }
}

function differencesOf(wanted: Facts, found: Facts | undefined): readonly DifferenceKind[] {
  if (found === undefined) return ['missing']
  const type = wanted.mode & MODE.TYPE
  if (type !== (found.mode & MODE.TYPE)) return ['type']
  const isSame: readonly [DifferenceKind, boolean][] = [
    ['mode', wanted.mode === found.mode],
    ['owner', wanted.uid === found.uid && wanted.gid === found.gid],
    ['time', wanted.mtimeSeconds === found.mtimeSeconds && wanted.mtimeNanos === found.mtimeNanos],
    ['size', wanted.size === found.size],
    ['attributes', JSON.stringify(wanted.xattrs) === JSON.stringify(found.xattrs)],
    ['target', wanted.target === found.target],
    ['device', wanted.rdevMajor === found.rdevMajor && wanted.rdevMinor === found.rdevMinor],
  ]
  return isSame.flatMap(([kind, same]) => (same ? [] : [kind]))
}

function dataAfter(
  { root }: Volume,
  { path, offset, end }: Extract<Question, { kind: 'hole' }>,
): number {
  // No such file: the question about its content that follows says so.
  return withFile(root, path, (fd) => nextData(fd, offset, end)) ?? offset
}

function areLinks({ root }: Volume, path: BytePath, other: BytePath): boolean {
  const [one, two] = [look(root, path), look(root, other)]
  return one !== undefined && one.inode === two?.inode
}
