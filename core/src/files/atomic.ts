/**
 * Files that are either the old version or the new one, whatever happens: temporary file, fsync, rename, fsync
 * of the directory. A power cut between any two steps leaves the old version.
 */
import { randomBytes } from 'node:crypto'
import { open, readFile, rename, rm, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/** Returns when `data` survives a power cut. The directory must exist. */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array,
  mode: number,
): Promise<void> {
  const directory = dirname(path)
  const suffix = `${String(process.pid)}-${randomBytes(4).toString('hex')}`
  const temporary = join(directory, `.${basename(path)}.${suffix}.tmp`)
  try {
    const handle = await open(temporary, 'wx', mode)
    try {
      await handle.writeFile(data)
      await handle.chmod(mode) // The process's umask must not decide about a key file.
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, path)
  } catch (thrown) {
    await rm(temporary, { force: true })
    throw thrown
  }
  await syncDirectory(directory)
}

/** The content, or undefined when there is no such file. */
export async function readIfExists(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (thrown) {
    if (isNotFound(thrown)) return undefined
    throw thrown
  }
}

/** Returns when the file is gone for good; no error when there was none. */
export async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (thrown) {
    if (isNotFound(thrown)) return
    throw thrown
  }
  await syncDirectory(dirname(path))
}

/** Makes names that were created, renamed or removed in `directory` durable. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

export function isNotFound(thrown: unknown): boolean {
  return codeOf(thrown) === 'ENOENT'
}

/** The system's error name (`ENOENT`), or undefined for anything else. */
export function codeOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !('code' in thrown)) return undefined
  return typeof thrown.code === 'string' ? thrown.code : undefined
}
