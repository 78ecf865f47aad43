/**
 * The three entries with which a `.safe` archive begins: `module.json` (what it is), `files.json` (every file with its
 * SHA-256) and, when somebody answers for it, `files.sig` (the signature of the bytes of `files.json`). What the list
 * does not name is not in the package.
 */
import { createHash } from 'node:crypto'
import { HoldfastError } from '@holdfast/sdk'
import { compileSchema, type SchemaCheck } from '../schema/validate.js'
import type { PackageFile } from './package.js'

export const listName = 'files.json'
export const signatureName = 'files.sig'
/** Names of the archive's own entries: no file of a module may have them. */
export const reservedNames: readonly string[] = [listName, signatureName]

export interface ListedFile {
  readonly path: string
  readonly sha256: string
  readonly bytes: number
  readonly executable: boolean
}

const listSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['format', 'version', 'files'],
  properties: {
    format: { const: 'holdfast-files' },
    version: { const: 1 },
    files: {
      type: 'array',
      maxItems: 1_000,
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['path', 'sha256', 'bytes', 'executable'],
        properties: {
          path: { type: 'string', maxLength: 240 },
          sha256: { type: 'string', pattern: '^[0-9a-f]{64}$' },
          bytes: { type: 'integer', minimum: 0 },
          executable: { type: 'boolean' },
        },
      },
    },
  },
}

let compiled: SchemaCheck | undefined

export function sha256Of(data: Uint8Array | string): string {
  return createHash('sha256').update(data).digest('hex')
}

/** The text of `files.json`; the same files give the same bytes. */
export function listOf(files: readonly PackageFile[]): string {
  const listed: ListedFile[] = files.map(({ path, isExecutable, data }) => ({
    path,
    sha256: sha256Of(data),
    bytes: data.byteLength,
    executable: isExecutable,
  }))
  return `${JSON.stringify({ format: 'holdfast-files', version: 1, files: listed }, undefined, 1)}\n`
}

/** Throws `E_PACKAGE_INVALID` unless exactly the listed files are there, each with the bytes and the mode of the list. */
export function checkList(list: Buffer, files: readonly PackageFile[], origin: string): void {
  const listed = parsed(list, origin)
  const present = new Map(files.map((file) => [file.path, file]))
  for (const { path, sha256, bytes, executable } of listed) {
    const file = present.get(path)
    if (file === undefined) throw refused(origin, `"${path}" is in ${listName}, but not in it`)
    if (file.data.byteLength !== bytes || sha256Of(file.data) !== sha256) {
      throw refused(origin, `"${path}" is not the file that ${listName} names: its SHA-256 differs`)
    }
    if (file.isExecutable !== executable) {
      throw refused(origin, `the mode of "${path}" is not the one in ${listName}`)
    }
    present.delete(path)
  }
  const [extra] = present.keys()
  if (extra !== undefined) throw refused(origin, `"${extra}" is in it, but not in ${listName}`)
}

function parsed(list: Buffer, origin: string): readonly ListedFile[] {
  compiled ??= compileSchema(listSchema)
  const value = jsonOf(list, origin)
  const [problem] = compiled(value)
  if (problem !== undefined) {
    throw refused(origin, `${listName} is malformed: ${problem.pointer} ${problem.message}`)
  }
  const { files } = value as { readonly files: readonly ListedFile[] } // As checked.
  return files
}

function jsonOf(list: Buffer, origin: string): unknown {
  try {
    return JSON.parse(list.toString('utf8'))
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown
    throw refused(origin, `${listName} is not JSON: ${thrown.message}`)
  }
}

function refused(origin: string, what: string): HoldfastError {
  return new HoldfastError(
    'E_PACKAGE_INVALID',
    `${origin} is not a .safe or .hfp archive: ${what}`,
    {
      hint: 'make one with "holdfast module package DIR" or "holdfast-plugin pack DIR", or get it again from where it was published',
    },
  )
}
