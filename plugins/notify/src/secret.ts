/** Reads the secret of a notifier from a file that nobody else can read. */
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'

export type Secret =
  { readonly ok: true; readonly secret: string } | { readonly ok: false; readonly reason: string }

const bytesMax = 4_096

export async function readSecret(path: string): Promise<Secret> {
  let file: FileHandle
  try {
    // A named pipe would keep the reader waiting.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (thrown) {
    if (!isFileFailure(thrown)) throw thrown
    return { ok: false, reason: `${path} can't be read: ${thrown.code}` }
  }
  try {
    const { mode, uid, size } = await file.stat()
    const reason = objectionTo({ path, mode, uid, size, self: process.geteuid?.() ?? 0 })
    if (reason !== undefined) return { ok: false, reason }
    const secret = (await file.readFile('utf8')).replace(/\r?\n$/, '')
    return secret === '' ? { ok: false, reason: `${path} is empty` } : { ok: true, secret }
  } finally {
    await file.close()
  }
}

/** What is judged is the open file: another one can't be put in its place afterwards. */
function objectionTo(file: {
  readonly path: string
  readonly mode: number
  readonly uid: number
  readonly size: number
  readonly self: number
}): string | undefined {
  const { path, mode, uid, size, self } = file
  if ((mode & constants.S_IFMT) !== constants.S_IFREG) return `${path} is not a file`
  if ((mode & 0o077) !== 0) return `others can read ${path}: chmod 600 ${path}`
  if (uid !== self && uid !== 0) return `${path} belongs to somebody else: chown root ${path}`
  return size > bytesMax ? `${path} is larger than ${String(bytesMax)} bytes` : undefined
}

function isFileFailure(thrown: unknown): thrown is Error & { readonly code: string } {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string'
}
