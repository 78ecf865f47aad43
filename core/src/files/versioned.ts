/** State files: JSON with a format name and a version, so that a rolling upgrade never misreads one. */
import { dirname } from 'node:path'
import { HoldfastError } from '@holdfast/sdk'
import { readIfExists, syncDirectory, writeFileAtomic } from './atomic.js'

export interface StateFormat {
  /** What the file holds, for example `cluster-state`. */
  readonly format: string
  /** Major version: a reader refuses a newer one. */
  readonly version: number
}

export async function writeVersioned(
  path: string,
  { format, version }: StateFormat,
  body: unknown,
  mode = 0o600,
): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify({ format, version, body }, undefined, 2)}\n`, mode)
}

/**
 * The body, or undefined when there is no file. The caller still checks the shape of the body. What is returned survives
 * a power cut: the process that wrote it may have died between the rename and the sync of the directory, and who acts on
 * what only the page cache has acts on what the next start does not know.
 */
export async function readVersioned(path: string, expected: StateFormat): Promise<unknown> {
  const text = await readIfExists(path)
  if (text === undefined) return undefined
  await syncDirectory(dirname(path))
  return parseVersioned(text, path, expected)
}

/** Throws `E_STATE_DAMAGED` or `E_STATE_NEWER`; the file is left as it is. */
export function parseVersioned(text: string, path: string, expected: StateFormat): unknown {
  const envelope = jsonOf(text)
  if (envelope === undefined || envelope['format'] !== expected.format || !('body' in envelope)) {
    throw damaged(path, `is not a ${expected.format} file`)
  }
  const version = envelope['version']
  if (typeof version !== 'number' || !Number.isInteger(version) || version < 1) {
    throw damaged(path, 'has no version')
  }
  if (version > expected.version) {
    throw new HoldfastError(
      'E_STATE_NEWER',
      `${path} was written by a newer Holdfast: ${expected.format} version ${String(version)}, this one reads up to ${String(expected.version)}`,
      { hint: 'install the newer version of Holdfast on this node again' },
    )
  }
  return envelope['body']
}

function damaged(path: string, what: string): HoldfastError {
  return new HoldfastError('E_STATE_DAMAGED', `${path} ${what}: it is damaged or not ours`, {
    hint: 'restore the file from a backup, or move it away when its loss is acceptable',
  })
}

function jsonOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return undefined
    throw thrown
  }
}
