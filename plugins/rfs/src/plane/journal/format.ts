/**
 * The journal's file as bytes: a header of one sector that can be rewritten in place, then frames `u32 length, u32 CRC-32, body`.
 * A body is a list of keys (see codec.ts), or marks about windows.
 */
import { crc32 } from 'node:zlib'
import { Reader, MalformedError, type Writer } from './bytes.js'
import { takeKey } from './codec.js'
import type { Found, JournalHeader } from './decide.js'
import { Keys } from './keys.js'

/** One sector: a disk writes it whole, and rewriting it needs no room. */
export const HEADER_BYTES = 512
export const FRAME_HEAD_BYTES = 8
/** A frame of ours is at most a piece of keys and one path. */
export const FRAME_BYTES_MAX = 2 * 1024 * 1024
const WHY_CHARACTERS_MAX = 160
const MAGIC = 'HFJOURNL'
const HEADER_TEXT_AT = 16

const WINDOW = 10
const DROP = 11

/** A window and what was touched in it. */
export interface Window {
  readonly number: number
  readonly keys: Keys
}

export function encodeHeader(header: JournalHeader): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES)
  const why = header.why?.slice(0, WHY_CHARACTERS_MAX).replace(/[^ !#-[\]-~]/g, '?')
  const text = Buffer.from(JSON.stringify({ ...header, why }))
  if (text.length > HEADER_BYTES - HEADER_TEXT_AT) {
    throw new RangeError('the header of the journal is too long')
  }
  bytes.write(MAGIC, 'latin1')
  bytes.writeUInt32LE(text.length, 8)
  bytes.writeUInt32LE(crc32(text), 12)
  text.copy(bytes, HEADER_TEXT_AT)
  return bytes
}

function decodeHeader(bytes: Buffer): JournalHeader | 'unreadable' {
  if (bytes.length < HEADER_BYTES || bytes.toString('latin1', 0, 8) !== MAGIC) return 'unreadable'
  const length = bytes.readUInt32LE(8)
  if (length > HEADER_BYTES - HEADER_TEXT_AT) return 'unreadable'
  const text = bytes.subarray(HEADER_TEXT_AT, HEADER_TEXT_AT + length)
  if (crc32(text) !== bytes.readUInt32LE(12)) return 'unreadable'
  // The checksum says that encodeHeader wrote it; a later format is refused by its number.
  const header = JSON.parse(text.toString()) as JournalHeader | { readonly format: 0 }
  return header.format === 1 ? header : 'unreadable'
}

/** Fills in the first bytes of a frame whose body follows them. */
export function sealFrame(frame: Buffer): void {
  const body = frame.subarray(FRAME_HEAD_BYTES)
  frame.writeUInt32LE(body.length, 0)
  frame.writeUInt32LE(crc32(body), 4)
}

export function putWindow(to: Writer, number: number): void {
  to.u8(WINDOW).uint(number)
}

export function putDrop(to: Writer, before: number): void {
  to.u8(DROP).uint(before)
}

/** The last window is the open one. Never empty. */
export interface Decoded extends Found {
  readonly windows: readonly Window[]
}

/** Reads what a file holds, up to the first frame that is not right. */
export function decodeJournal(bytes: Buffer): Decoded {
  const header = decodeHeader(bytes)
  const windows: Window[] = [{ number: 1, keys: new Keys() }]
  let at = HEADER_BYTES
  while (at < bytes.length) {
    const tail = frameAt(bytes, at)
    if (typeof tail === 'string') return { header, tail, windows }
    if (!applyBody(tail, windows)) return { header, tail: 'damaged', windows }
    at += FRAME_HEAD_BYTES + tail.length
  }
  return { header, tail: 'whole', windows }
}

function frameAt(bytes: Buffer, at: number): Buffer | 'torn' | 'damaged' {
  if (bytes.length - at < FRAME_HEAD_BYTES) return 'torn'
  const length = bytes.readUInt32LE(at)
  if (length === 0 || length > FRAME_BYTES_MAX) return 'damaged'
  const start = at + FRAME_HEAD_BYTES
  if (bytes.length < start + length) return 'torn'
  const body = bytes.subarray(start, start + length)
  return crc32(body) === bytes.readUInt32LE(at + 4) ? body : 'damaged'
}

/** False: the body is none that we write. */
function applyBody(body: Buffer, windows: Window[]): boolean {
  const from = new Reader(body)
  try {
    while (from.left > 0) applyRecord(from, body[body.length - from.left] ?? 0, windows)
    return true
  } catch (thrown) {
    if (thrown instanceof MalformedError) return false
    throw thrown
  }
}

function applyRecord(from: Reader, kind: number, windows: Window[]): void {
  const open = windows.at(-1)
  if (open === undefined) throw new Error('there is always an open window')
  if (kind === WINDOW) {
    from.u8()
    windows.push({ number: from.uint(), keys: new Keys() })
  } else if (kind === DROP) {
    from.u8()
    dropWindows(windows, from.uint())
  } else takeKey(from, open.keys)
}

/** Drops windows before a number; the open one stays in any case. */
export function dropWindows(windows: Window[], before: number): void {
  const kept = windows.filter((window, at) => window.number >= before || at === windows.length - 1)
  windows.splice(0, windows.length, ...kept)
}
