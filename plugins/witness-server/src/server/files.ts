/** Files that are the old version or the new one, whatever happens: temporary file, fsync, rename, fsync of the directory. */
import { randomBytes } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/** Returns when `text` survives a power cut. Nobody but the owner can read it. */
export async function writeDurably(path: string, text: string): Promise<void> {
  const suffix = randomBytes(6).toString('hex')
  const temporary = join(dirname(path), `.${basename(path)}.${suffix}.tmp`)
  try {
    const handle = await open(temporary, 'wx', 0o600)
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, path)
  } catch (thrown) {
    await rm(temporary, { force: true })
    throw thrown
  }
  await syncDirectory(dirname(path))
}

/** Makes the directory and its missing parents, and their names durable. */
export async function makeDirectory(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 })
  if (first === undefined) return
  for (let at = path; at.length >= first.length; at = dirname(at)) await syncDirectory(dirname(at))
}

/** Returns when the file or directory is gone for good. */
export async function removeDurably(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true })
  await syncDirectory(dirname(path))
}

export async function readIfThere(path: string): Promise<string | undefined> {
  return await unlessMissing(readFile(path, 'utf8'))
}

/** Names in a directory without those of unfinished files, sorted. */
export async function namesIn(path: string): Promise<readonly string[]> {
  const names = (await unlessMissing(readdir(path))) ?? []
  return names.filter((name) => !name.startsWith('.')).sort()
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function unlessMissing<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT') return undefined
    throw thrown
  }
}

/** The system's error name (`ENOENT`), or undefined for anything else. */
export function codeOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !('code' in thrown)) return undefined
  return typeof thrown.code === 'string' ? thrown.code : undefined
}
