/**
 * A module's sources in memory: what a directory, a `.safe` archive and a transfer between nodes have in common.
 * Everything is checked here, so that no source of a package can write outside of its place.
 */
import { createHash } from 'node:crypto'
import { chmod, lstat, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { HoldfastError } from '@holdfast/sdk'
import { codeOf, syncDirectory } from '../files/atomic.js'
import { reservedNames } from './listing.js'

export const packageFilesMax = 1_000
export const packageBytesMax = 16 * 1024 * 1024
const pathCharactersMax = 240
const depthMax = 12

export interface PackageFile {
  /** Relative, with `/`, no `.` or `..` in it. */
  readonly path: string
  readonly isExecutable: boolean
  readonly data: Buffer
}

/** Files sorted by path: the same sources give the same digest on every node. */
export interface ModulePackage {
  readonly files: readonly PackageFile[]
}

/** What every package of a kind has; for a module, its configuration. */
const moduleFile = 'conf/userconfig.xml'

/** Checks paths, counts and sizes, and that `required` is there. `origin` is named in errors. */
export function makePackage(
  files: readonly PackageFile[],
  origin: string,
  required: string = moduleFile,
): ModulePackage {
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
  if (sorted.length > packageFilesMax) {
    throw refusal(origin, `it has more than ${String(packageFilesMax)} files`)
  }
  let bytes = 0
  for (const [index, file] of sorted.entries()) {
    assertPath(file.path, origin)
    if (sorted[index + 1]?.path === file.path)
      throw refusal(origin, `"${file.path}" is twice in it`)
    bytes += file.data.byteLength
  }
  assertNoTwins(sorted, origin)
  if (bytes > packageBytesMax) {
    throw refusal(origin, `it has more than ${String(packageBytesMax / 1024 / 1024)} MiB`)
  }
  if (!sorted.some(({ path }) => path === required)) {
    throw refusal(origin, `${required} is missing`)
  }
  return { files: sorted }
}

/**
 * Throws when two paths are one on a file system that knows no case, when a file is also a directory, or when a file
 * has the name of an entry that belongs to the archive itself.
 */
function assertNoTwins(files: readonly PackageFile[], origin: string): void {
  const names = new Map<string, string>()
  for (const { path } of files) {
    if (reservedNames.includes(path.toLowerCase())) {
      throw refusal(origin, `"${path}" is a name that the archive keeps for itself`)
    }
    const parts = path.split('/')
    for (const [index] of parts.entries()) {
      const below = parts.slice(0, index + 1).join('/')
      // A directory carries a slash, so that a file of the same name is found too.
      const isFile = index === parts.length - 1
      const form = isFile ? below : `${below}/`
      const twin = names.get(below.toLowerCase())
      if (twin !== undefined && (twin !== form || isFile)) {
        throw refusal(origin, `"${twin}" and "${form}" are the same place on some systems`)
      }
      names.set(below.toLowerCase(), form)
    }
  }
}

/** Names that are devices, or that end otherwise, on Windows. */
const misread = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)|[. ]$/i

/** Throws when a path could leave the package or surprise a tool. */
export function assertPath(path: string, origin: string): void {
  const parts = path.split('/')
  const isPlain = parts.every((part) => /^[A-Za-z0-9_@+,=.-][A-Za-z0-9_@+,=. -]*$/.test(part))
  const isMisread = parts.some((part) => misread.test(part))
  if (!isPlain || isMisread || path.length > pathCharactersMax || parts.length > depthMax) {
    throw refusal(origin, `it has a file with the path ${JSON.stringify(path.slice(0, 200))}`)
  }
}

/** Identity of the content: names, modes and bytes. */
export function digestOf(sources: ModulePackage): string {
  const hash = createHash('sha256')
  for (const { path, isExecutable, data } of sources.files) {
    hash.update(`${path}\0${isExecutable ? 'x' : '-'}\0${String(data.byteLength)}\0`).update(data)
  }
  return hash.digest('hex')
}

export function fileOf(sources: ModulePackage, path: string): string | undefined {
  return sources.files.find((file) => file.path === path)?.data.toString('utf8')
}

/** Reads a directory. Links and special files are refused: they would mean something else on another node. */
export async function readPackage(
  directory: string,
  required: string = moduleFile,
): Promise<ModulePackage> {
  const files: PackageFile[] = []
  let bytes = 0
  const visit = async (relative: string): Promise<void> => {
    for (const name of (await readdir(join(directory, relative))).sort()) {
      const path = relative === '' ? name : `${relative}/${name}`
      assertPath(path, directory)
      const stats = await lstat(join(directory, path))
      if (stats.isDirectory()) {
        await visit(path)
        continue
      }
      if (!stats.isFile()) throw refusal(directory, `"${path}" is neither file nor directory`)
      bytes += stats.size
      if (bytes > packageBytesMax || files.length >= packageFilesMax) {
        throw refusal(
          directory,
          `it has more than ${String(packageFilesMax)} files or ${String(packageBytesMax)} bytes`,
        )
      }
      const data = await readFile(join(directory, path))
      files.push({ path, isExecutable: (stats.mode & 0o111) !== 0, data })
    }
  }
  try {
    await visit('')
  } catch (thrown) {
    if (codeOf(thrown) !== 'ENOENT' && codeOf(thrown) !== 'ENOTDIR') throw thrown
    throw refusal(directory, 'there is no such directory, or it changed while it was read')
  }
  return makePackage(files, directory, required)
}

/** Writes all files below `directory` (which must not exist) and makes them durable. */
export async function writePackage(sources: ModulePackage, directory: string): Promise<void> {
  const isModule = sources.files.some(({ path }) => path === moduleFile)
  const always = isModule ? [join(directory, 'conf'), join(directory, 'bin')] : []
  const directories = new Set([directory, ...always])
  for (const { path } of sources.files) {
    const parts = path.split('/').slice(0, -1)
    parts.forEach((_, index) => directories.add(join(directory, ...parts.slice(0, index + 1))))
  }
  for (const path of directories) await mkdir(path, { recursive: true, mode: 0o755 })
  for (const file of sources.files) {
    const path = join(directory, file.path)
    const handle = await open(path, 'wx', 0o600)
    try {
      await handle.writeFile(file.data)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await chmod(path, file.isExecutable ? 0o755 : 0o644)
  }
  for (const path of [...directories].sort().toReversed()) await syncDirectory(path)
}

/**
 * Puts `staged` in the place of `target`. A crash between the steps leaves `target` or, for a moment, only
 * `target.old` beside `staged`: `recoverReplaced` then finishes the job.
 */
export async function replaceDirectory(staged: string, target: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true, mode: 0o755 })
  await rm(`${target}.old`, { recursive: true, force: true })
  await renameIfExists(target, `${target}.old`)
  await rename(staged, target)
  await syncDirectory(dirname(target))
  await rm(`${target}.old`, { recursive: true, force: true })
}

/** After a crash: a missing `target` whose predecessor is still there gets it back. */
export async function recoverReplaced(target: string): Promise<void> {
  if (await exists(target)) await rm(`${target}.old`, { recursive: true, force: true })
  else await renameIfExists(`${target}.old`, target)
}

export async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT' || codeOf(thrown) === 'ENOTDIR') return false
    throw thrown
  }
}

async function renameIfExists(from: string, to: string): Promise<void> {
  try {
    await rename(from, to)
  } catch (thrown) {
    if (codeOf(thrown) !== 'ENOENT') throw thrown
  }
}

function refusal(origin: string, what: string): HoldfastError {
  return new HoldfastError('E_PACKAGE_INVALID', `${origin} is not a module: ${what}`, {
    hint: 'a module has conf/userconfig.xml, bin/ with its scripts, and optionally module.json; only plain files',
  })
}
