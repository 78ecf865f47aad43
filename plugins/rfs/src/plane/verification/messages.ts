/**
 * What the server asks the follower during a verification, and what it is told. A question travels in the ordered stream of
 * ops: nothing that was changed before it is missing on the follower when it answers, and nothing that is changed later is
 * there yet. So what differs then differs. Everything is found by its path; no question depends on an earlier one.
 */
import type { DifferenceKind } from '../../driver/protocol.js'
import { MalformedError, type Reader, type Writer } from '../journal/bytes.js'
import { isPath } from '../journal/path.js'
import type { BytePath } from '../resync-port.js'
import { putAttributes, takeAttributes, type Attributes } from '../resync/messages.js'

/** A piece of a file that is compared at once: small, because the loops of both sides stand still meanwhile. */
export const PIECE_BYTES = 64 * 1024
/** Names beyond this are told with the next answer. */
export const NAMES_BYTES = 16 * 1024
/** A longer path fits into no question; such names are counted as not verified. */
export const PATH_MAX = 64 * 1024
const HASH_BYTES = 32
const TARGET_MAX = 4096

/** What must be the same of a name. */
export interface Facts extends Attributes {
  /** Of a file. */
  readonly size: number
  readonly rdevMajor: number
  readonly rdevMinor: number
  /** Of a symbolic link. */
  readonly target: BytePath
}

export type Question =
  /** Is this what you have under this name? */
  | { readonly kind: 'entry'; readonly path: BytePath; readonly facts: Facts }
  /** Is there nothing under this name? */
  | { readonly kind: 'absent'; readonly path: BytePath }
  | {
      readonly kind: 'content'
      readonly path: BytePath
      readonly offset: number
      readonly length: number
      readonly hash: Buffer
    }
  /** Up to where is there no data? Answered with the offset of the next data, at most `end`. */
  | {
      readonly kind: 'hole'
      readonly path: BytePath
      readonly offset: number
      readonly end: number
    }
  /** Are both names links of one file? */
  | { readonly kind: 'same'; readonly path: BytePath; readonly other: BytePath }
  /** The names in a directory, some at a time; `first` begins anew. */
  | { readonly kind: 'names'; readonly path: BytePath; readonly first: boolean }
  // To be made as they are on the server
  /** Makes what is not of this kind, removes what is there instead, gives it these attributes. */
  | { readonly kind: 'place'; readonly path: BytePath; readonly facts: Facts }
  | {
      readonly kind: 'write'
      readonly path: BytePath
      readonly offset: number
      readonly bytes: Buffer
    }
  /** Makes a hole. */
  | {
      readonly kind: 'punch'
      readonly path: BytePath
      readonly offset: number
      readonly length: number
    }
  | { readonly kind: 'remove'; readonly path: BytePath }
  | { readonly kind: 'link'; readonly path: BytePath; readonly other: BytePath }

/** On the wire by their place: only ever append. */
const KINDS = [
  'entry',
  'absent',
  'content',
  'hole',
  'same',
  'names',
  'place',
  'write',
  'punch',
  'remove',
  'link',
] as const satisfies readonly Question['kind'][]

/** On the wire by their place: only ever append. */
export const DIFFERENCES = [
  'missing',
  'extra',
  'type',
  'mode',
  'owner',
  'time',
  'size',
  'attributes',
  'target',
  'device',
  'content',
  'links',
  'unreadable',
] as const satisfies readonly DifferenceKind[]

export interface Answer {
  readonly differs: readonly DifferenceKind[]
  /** Milliseconds of the follower's loop that it took. */
  readonly busyMs: number
  /** Of `hole`. */
  readonly offset: number
  /** Of `names`. */
  readonly names: readonly BytePath[]
  /** There are no more names. */
  readonly isEnd: boolean
}

/** What most answers say. */
export const SAME = { differs: [], offset: 0, names: [], isEnd: true } as const

export function putQuestion(to: Writer, question: Question): void {
  to.u8(KINDS.indexOf(question.kind)).text(question.path)
  switch (question.kind) {
    case 'entry':
    case 'place': {
      const { facts } = question
      putAttributes(to, facts)
      to.uint(facts.size).uint(facts.rdevMajor).uint(facts.rdevMinor).text(facts.target)
      return
    }
    case 'content':
      to.uint(question.offset).uint(question.length).raw(question.hash)
      return
    case 'hole':
      to.uint(question.offset).uint(question.end)
      return
    case 'same':
    case 'link':
      to.text(question.other)
      return
    case 'names':
      to.u8(question.first ? 1 : 0)
      return
    case 'write':
      to.uint(question.offset).uint(question.bytes.length).raw(question.bytes)
      return
    case 'punch':
      to.uint(question.offset).uint(question.length)
      return
    case 'absent':
    case 'remove':
  }
}

/** Throws MalformedError. */
export function takeQuestion(from: Reader): Question {
  const kind = KINDS[from.u8()]
  if (kind === undefined) throw new MalformedError('an unknown question')
  const path = takePath(from)
  switch (kind) {
    case 'entry':
    case 'place':
      return { kind, path, facts: takeFacts(from) }
    case 'content': {
      const offset = from.uint()
      return { kind, path, offset, length: takePiece(from), hash: from.raw(HASH_BYTES) }
    }
    case 'hole':
      return { kind, path, offset: from.uint(), end: from.uint() }
    case 'same':
    case 'link':
      return { kind, path, other: takePath(from) }
    case 'names':
      return { kind, path, first: from.u8() === 1 }
    case 'write': {
      const offset = from.uint()
      return { kind, path, offset, bytes: from.raw(takePiece(from)) }
    }
    case 'punch':
      return { kind, path, offset: from.uint(), length: from.uint() }
    case 'absent':
    case 'remove':
      return { kind, path }
  }
}

export function putAnswer(to: Writer, answer: Answer): void {
  to.uint(answer.differs.reduce((bits, one) => bits | (1 << DIFFERENCES.indexOf(one)), 0))
  to.uint(Math.round(answer.busyMs * 1_000)).uint(answer.offset)
  to.u8(answer.isEnd ? 1 : 0).uint(answer.names.length)
  for (const name of answer.names) to.text(name)
}

export function takeAnswer(from: Reader): Answer {
  const bits = from.uint()
  const busyMs = from.uint() / 1_000
  const offset = from.uint()
  const isEnd = from.u8() === 1
  const count = from.uint()
  if (count > NAMES_BYTES) throw new MalformedError(`${count} names in an answer`)
  const names = Array.from({ length: count }, () => from.text(256))
  const differs = DIFFERENCES.filter((_, index) => (bits & (1 << index)) !== 0)
  return { differs, busyMs, offset, names, isEnd }
}

function takeFacts(from: Reader): Facts {
  const attributes = takeAttributes(from)
  const size = from.uint()
  const rdevMajor = from.uint()
  const rdevMinor = from.uint()
  const target = from.text(TARGET_MAX)
  const isSound = rdevMajor <= 0xfff && rdevMinor <= 0xfffff && !target.includes('\0')
  if (!isSound) throw new MalformedError('the facts of a name')
  return { ...attributes, size, rdevMajor, rdevMinor, target }
}

function takePath(from: Reader): BytePath {
  const path = from.text(PATH_MAX)
  if (!isPath(path)) throw new MalformedError('a path that leaves the root')
  return path
}

function takePiece(from: Reader): number {
  const length = from.uint()
  if (length > PIECE_BYTES) throw new MalformedError(`a piece of ${length} bytes`)
  return length
}
