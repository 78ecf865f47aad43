/** The sets of files that were set aside on this node: begun, found again, read, removed. */
import {
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  type FileHandle,
  writeFile,
} from 'node:fs/promises'
import type { Clock, ModuleContext } from '@holdfast/sdk'
import { type AsideLine, endOf, lineOf } from './format.js'
import { objectOf } from '../driver/object.js'
import { parseObject } from '../driver/wire.js'

export interface DivergedSet {
  /** Its directory below the base. */
  readonly name: string
  /** Identifies the history that was given up. */
  readonly generation: string
  readonly madeMs: number
  /** The replicated directories by volume. */
  readonly directories: readonly string[]
  readonly lines: readonly AsideLine[]
  /** Nothing is to be added any more: all that differed is here, or the operator gave up the rest. */
  readonly closed: 'complete' | 'discarded' | undefined
}

const aboutName = 'about.json'
const discardedName = 'discarded'
const format = 1

/**
 * Where the files of `generation` are kept from now on: a new set, or the one that an interrupted copy began. Undefined:
 * that history is closed, nothing more of it is to be kept.
 */
export async function openSet(
  base: string,
  about: {
    readonly generation: string
    readonly madeMs: number
    readonly directories: readonly string[]
  },
): Promise<string | undefined> {
  const known = (await readSets(base)).find(({ generation }) => generation === about.generation)
  if (known !== undefined) return known.closed === undefined ? `${base}/${known.name}` : undefined
  const directory = `${base}/${nameOf(about)}`
  const preparing = `${directory}.new`
  await rm(preparing, { recursive: true, force: true })
  await mkdir(preparing, { recursive: true, mode: 0o700 })
  await writeFile(`${preparing}/${aboutName}`, JSON.stringify({ format, ...about }), {
    mode: 0o600,
    flush: true,
  })
  await syncDirectory(preparing)
  await rename(preparing, directory)
  await syncDirectory(base)
  return directory
}

/** Where the sets of a module are on this node. */
export function setsOf(module: Pick<ModuleContext, 'directories'>): string {
  return `${module.directories.state}/diverged`
}

/** The part of an order to follow that says where to keep what is given up. */
export async function asideFor(
  generation: string | undefined,
  parts: {
    readonly module: ModuleContext
    readonly clock: Clock
    readonly directories: readonly string[]
  },
): Promise<{ readonly aside?: string }> {
  if (generation === undefined) return {}
  const { module, clock, directories } = parts
  const about = { generation, madeMs: clock.wallMs(), directories }
  const aside = await openSet(setsOf(module), about)
  return aside === undefined ? {} : { aside }
}

/** Oldest first. */
export async function readSets(base: string): Promise<readonly DivergedSet[]> {
  const sets: DivergedSet[] = []
  for (const name of (await namesIn(base)).sort()) {
    const set = name.endsWith('.new') ? undefined : await readSet(base, name)
    if (set !== undefined) sets.push(set)
  }
  return sets
}

export async function removeSet(base: string, { name }: DivergedSet): Promise<void> {
  await rm(`${base}/${name}`, { recursive: true })
}

/** The operator's word: what is not kept yet may be overwritten. */
export async function discardRest(base: string, { name }: DivergedSet): Promise<void> {
  await writeFile(`${base}/${name}/${discardedName}`, '', { mode: 0o600, flush: true })
  await syncDirectory(`${base}/${name}`)
}

async function readSet(base: string, name: string): Promise<DivergedSet | undefined> {
  const directory = `${base}/${name}`
  const about = parseObject((await textOf(`${directory}/${aboutName}`)) ?? '')
  const generation = about?.['generation']
  const madeMs = about?.['madeMs']
  const directories = about?.['directories']
  // Not one of ours, or of a version that writes them differently: left alone.
  if (objectOf(about)?.['format'] !== format || typeof generation !== 'string') return undefined
  if (typeof madeMs !== 'number' || !Array.isArray(directories)) return undefined
  const text = ((await textOf(`${directory}/index.jsonl`)) ?? '').split('\n')
  const isComplete = text.some((line) => endOf(line) !== undefined)
  const isDiscarded = (await textOf(`${directory}/${discardedName}`)) !== undefined
  return {
    ...{ name, generation, madeMs, directories: directories.map(String) },
    lines: text.flatMap((line) => lineOf(line) ?? []),
    closed: isComplete ? 'complete' : isDiscarded ? 'discarded' : undefined,
  }
}

function nameOf(about: { readonly generation: string; readonly madeMs: number }): string {
  const date = new Date(about.madeMs).toISOString().slice(0, 19).replaceAll(':', '-')
  return `${date}-${about.generation.replaceAll(':', '-')}`
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory)
  } catch (thrown) {
    if (isMissing(thrown)) return []
    throw thrown
  }
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (thrown) {
    if (isMissing(thrown)) return undefined
    throw thrown
  }
}

function isMissing(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT'
}

async function syncDirectory(path: string): Promise<void> {
  let handle: FileHandle | undefined
  try {
    handle = await open(path, 'r')
    await handle.sync()
  } finally {
    await handle?.close()
  }
}
