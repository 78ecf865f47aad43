/** For the crash loop: what its program does to files, and what must be there when that was acknowledged. */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

type Random = (below: number) => number

export type Operation =
  | {
      readonly kind: 'write'
      readonly path: string
      readonly offset: number
      readonly length: number
      readonly number: number
      readonly sync: boolean
    }
  | { readonly kind: 'append'; readonly path: string; readonly number: number }
  | { readonly kind: 'truncate'; readonly path: string; readonly size: number }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string }
  | { readonly kind: 'unlink'; readonly path: string }

export type Outcome = 'done' | 'ENOENT'

const PATHS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
const LOG = 'log'
const LENGTHS = [1, 100, 4096, 5000, 70_000, 300_000]
const OFFSETS = [0, 1, 4096, 65_536, 262_000, 500_000]

export function randomOperation(number: number, random: Random): Operation {
  const one = <T>(from: readonly T[]): T => {
    const found = from[random(from.length)]
    if (found === undefined) throw new Error('nothing to choose from')
    return found
  }
  const path = one(PATHS)
  switch (random(10)) {
    case 0:
      return { kind: 'truncate', path, size: one(OFFSETS) }
    case 1:
      return { kind: 'rename', from: path, to: one(PATHS) }
    case 2:
      return { kind: 'unlink', path }
    case 3:
    case 4:
      return { kind: 'append', path: LOG, number }
    default: {
      const [offset, length] = [one(OFFSETS), one(LENGTHS)]
      return { kind: 'write', path, offset, length, number, sync: random(4) === 0 }
    }
  }
}

/** What a write writes, and a line that is appended: told apart from every other one. */
export function contentOf(operation: Operation): Buffer {
  if (operation.kind === 'append') return Buffer.from(`line ${operation.number}\n`)
  if (operation.kind !== 'write') return Buffer.alloc(0)
  const number = Buffer.alloc(4)
  number.writeUInt32LE(operation.number)
  return Buffer.alloc(operation.length, number)
}

/** The files, as far as they were acknowledged. One operation may be under way. */
export class Ledger {
  #files = new Map<string, Buffer>()
  #underWay: Operation | undefined
  acknowledged = 0

  begin(operation: Operation): void {
    this.#underWay = operation
  }

  /** The program was told how the operation ended. Returns what was wrong with that, or undefined. */
  end(outcome: Outcome): string | undefined {
    const operation = this.#underWay
    if (operation === undefined) return `"${outcome}" for nothing`
    const expected = after(this.#files, operation)
    const right = expected === undefined ? 'ENOENT' : 'done'
    this.#underWay = undefined
    this.acknowledged++
    if (expected !== undefined) this.#files = expected
    return outcome === right ? undefined : `${JSON.stringify(operation)}: ${outcome}, not ${right}`
  }

  /**
   * What is wrong with this tree; undefined: everything that was acknowledged is there, and nothing else. An operation that was
   * cut off may be there or not, a write in parts: from then on it is what was found.
   */
  check(directory: string): string | undefined {
    const found = new Map(readdirSync(directory).map((name) => [name, read(directory, name)]))
    const before = this.#files
    const cut = this.#underWay
    const complete = cut === undefined ? undefined : after(before, cut)
    const wrong = firstWrong(before, found)
    if (wrong === undefined || cut === undefined) return wrong
    if (complete !== undefined && firstWrong(complete, found) === undefined) this.#adopt(found)
    else if (isPart(cut, before, found)) this.#adopt(found)
    else return `${wrong}; ${JSON.stringify(cut)} was under way`
    return undefined
  }

  #adopt(found: Map<string, Buffer>): void {
    this.#files = found
    this.#underWay = undefined
  }
}

/** Undefined: it must be refused, for there is no such file. */
function after(
  files: ReadonlyMap<string, Buffer>,
  operation: Operation,
): Map<string, Buffer> | undefined {
  const next = new Map(files)
  if (operation.kind === 'rename') {
    const moved = files.get(operation.from)
    if (moved === undefined) return undefined
    next.delete(operation.from)
    return next.set(operation.to, moved)
  }
  const { path } = operation
  const old = files.get(path)
  switch (operation.kind) {
    case 'write':
      return next.set(path, written(old ?? Buffer.alloc(0), operation.offset, contentOf(operation)))
    case 'append':
      return next.set(path, Buffer.concat([old ?? Buffer.alloc(0), contentOf(operation)]))
    case 'truncate':
      return old === undefined ? undefined : next.set(path, resized(old, operation.size))
    case 'unlink':
      return next.delete(path) ? next : undefined
  }
}

function written(old: Buffer, offset: number, content: Buffer): Buffer {
  const fresh = resized(old, Math.max(old.length, offset + content.length))
  content.copy(fresh, offset)
  return fresh
}

function resized(old: Buffer, size: number): Buffer {
  const fresh = Buffer.alloc(size)
  old.copy(fresh)
  return fresh
}

function read(directory: string, name: string): Buffer {
  return readFileSync(join(directory, name))
}

function firstWrong(
  expected: ReadonlyMap<string, Buffer>,
  found: ReadonlyMap<string, Buffer>,
): string | undefined {
  for (const name of new Set([...expected.keys(), ...found.keys()])) {
    const [there, right] = [found.get(name), expected.get(name)]
    if (there === undefined) return `${name} is not there`
    if (right === undefined) return `${name} is there`
    if (there.equals(right)) continue
    const at = there.findIndex((byte, index) => byte !== right[index])
    return `${name} differs at ${at} (${there.length} bytes, not ${right.length})`
  }
  return undefined
}

/** The file was made and nothing more, or some of the content was written. */
function isPart(
  operation: Operation,
  before: ReadonlyMap<string, Buffer>,
  found: ReadonlyMap<string, Buffer>,
): boolean {
  if (operation.kind !== 'write' && operation.kind !== 'append') return false
  const there = found.get(operation.path)
  if (there === undefined) return false
  const others = new Map(before).set(operation.path, there)
  if (firstWrong(others, found) !== undefined) return false
  const old = before.get(operation.path) ?? Buffer.alloc(0)
  const content = contentOf(operation)
  const offset = operation.kind === 'write' ? operation.offset : old.length
  const whole = written(old, offset, content)
  if (there.length < old.length || there.length > whole.length) return false
  return there.every((byte, at) => byte === (old[at] ?? 0) || byte === whole[at])
}
