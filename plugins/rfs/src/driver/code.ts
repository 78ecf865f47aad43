/**
 * Which code a data plane runs: the same bytes are the same code, whatever the package is called. Only the files of this
 * plugin that the process loads count: what else an upgrade changes is no reason to interrupt a replication.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { errnoOf } from './errno.js'
import type { PlaneCode } from './protocol.js'
import { parseObject } from './wire.js'

/** Imports, and the files of threads: what the compiler writes for them. */
const reference = /(?:\bfrom|\bimport|\bimport\(|\bnew URL\()\s*['"](\.{1,2}\/[^'"\n]+\.js)['"]/g

/**
 * Reads the program `entry` and all that it refers to, as a data plane that starts now loads it. Undefined: a file is
 * missing, because the package is being exchanged at this moment.
 */
export async function codeOf(entry: string): Promise<PlaneCode | undefined> {
  try {
    const manifest = await readFile(join(dirname(entry), '../../package.json'), 'utf8')
    const version = parseObject(manifest)?.['version']
    const digest = await digestOf(entry)
    return { version: typeof version === 'string' ? version : 'unknown', digest }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

async function digestOf(entry: string): Promise<string> {
  const texts = await textsOf(entry)
  const hash = createHash('sha256')
  for (const path of [...texts.keys()].sort()) {
    hash.update(`${relative(dirname(entry), path)}\0${texts.get(path) ?? ''}\0`)
  }
  return hash.digest('hex').slice(0, 16)
}

/** By path. */
async function textsOf(entry: string): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>()
  for (let wave = [entry]; wave.length > 0;) {
    const read = await Promise.all(wave.map((path) => readFile(path, 'utf8')))
    wave.forEach((path, index) => texts.set(path, read[index] ?? ''))
    const named = wave.flatMap((path) => pathsIn(path, texts.get(path) ?? ''))
    wave = [...new Set(named)].filter((path) => !texts.has(path))
  }
  return texts
}

function pathsIn(path: string, text: string): readonly string[] {
  return [...text.matchAll(reference)].map(([, other = '']) => join(dirname(path), other))
}
