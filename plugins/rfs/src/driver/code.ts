/**
 * Which code a data plane runs: the same bytes are the same code, whatever the package is called. Only the files of this
 * plugin that the process loads count: what else an upgrade changes is no reason to interrupt a replication.
 */
import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { errnoOf } from './errno.js'
import type { PlaneCode } from './protocol.js'
import { parseObject } from './wire.js'

/** Imports, and the files of threads: what the compiler writes for them. */
const reference = /(?:\bfrom|\bimport|\bimport\(|\bnew URL\()\s*['"](\.{1,2}\/[^'"\n]+\.js)['"]/g

type Read = (path: string) => string | Promise<string>

/**
 * Reads the program `entry` and all that it refers to, as a data plane that starts now loads it. Undefined: a file is
 * missing, because the package is being exchanged at this moment.
 */
export async function codeOf(entry: string, read: Read = readText): Promise<PlaneCode | undefined> {
  try {
    const manifest = await read(join(dirname(entry), '../../package.json'))
    const version = parseObject(manifest)?.['version']
    const digest = await digestOf(entry, read)
    return { version: typeof version === 'string' ? version : 'unknown', digest }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** The code of `entry` for who asks often: it is read again when one of its files is another one, or was changed. */
export class InstalledCode {
  private known:
    { readonly code: PlaneCode; readonly marks: ReadonlyMap<string, string> } | undefined

  constructor(private readonly entry: string) {}

  async look(): Promise<PlaneCode | undefined> {
    if (this.known !== undefined && (await areUnchanged(this.known.marks))) return this.known.code
    const marks = new Map<string, string>()
    const code = await codeOf(this.entry, async (path) => {
      // Before it is read: what is changed in between has another mark at the next look.
      marks.set(path, await markOf(path))
      return readText(path)
    })
    this.known = code === undefined ? undefined : { code, marks }
    return code
  }
}

async function areUnchanged(marks: ReadonlyMap<string, string>): Promise<boolean> {
  try {
    const now = await Promise.all([...marks.keys()].map(markOf))
    return [...marks.values()].every((mark, index) => mark === now[index])
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false
    throw error
  }
}

/** The time of the last change of anything can't be set by programs that copy times with the content. */
async function markOf(path: string): Promise<string> {
  const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ')
}

function readText(path: string): Promise<string> {
  return readFile(path, 'utf8')
}

async function digestOf(entry: string, read: Read): Promise<string> {
  const texts = await textsOf(entry, read)
  const hash = createHash('sha256')
  for (const path of [...texts.keys()].sort()) {
    hash.update(`${relative(dirname(entry), path)}\0${texts.get(path) ?? ''}\0`)
  }
  return hash.digest('hex').slice(0, 16)
}

/** By path. */
async function textsOf(entry: string, readOne: Read): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>()
  for (let wave = [entry]; wave.length > 0;) {
    const read = await Promise.all(wave.map(async (path) => readOne(path)))
    wave.forEach((path, index) => texts.set(path, read[index] ?? ''))
    const named = wave.flatMap((path) => pathsIn(path, texts.get(path) ?? ''))
    wave = [...new Set(named)].filter((path) => !texts.has(path))
  }
  return texts
}

function pathsIn(path: string, text: string): readonly string[] {
  return [...text.matchAll(reference)].map(([, other = '']) => join(dirname(path), other))
}
