/** Reads the token from the file that the operator made on the node. */
import { open } from 'node:fs/promises'
import { HoldfastError } from '@holdfast/sdk'
import { type Enrolment, parseToken } from './token.js'

const bytesMax = 4_096

/** Throws `E_WITNESS_KEYFILE` or `E_WITNESS_TOKEN`. */
export async function readKeyFile(path: string): Promise<Enrolment> {
  const handle = await opened(path)
  try {
    const status = await handle.stat()
    if (!status.isFile() || status.size > bytesMax) {
      throw wrong(path, 'is not a small file', 'write the token of the witness into it')
    }
    // Asked of the open file: the name could lead to another one a moment later.
    if (status.uid !== process.getuid?.() || (status.mode & 0o077) !== 0) {
      throw wrong(path, 'can be read or changed by others', `chown root ${path}; chmod 600 ${path}`)
    }
    return parseToken(await handle.readFile('utf8'))
  } finally {
    await handle.close()
  }
}

async function opened(path: string): ReturnType<typeof open> {
  try {
    return await open(path, 'r')
  } catch (thrown) {
    const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : ''
    if (!['ENOENT', 'EACCES', 'ENOTDIR', 'ELOOP', 'EISDIR'].includes(code)) throw thrown
    const hint = `run "holdfast-witness add" on the witness, and write the token that it prints into ${path} (mode 600) on each node`
    throw wrong(path, `can't be read (${code})`, hint)
  }
}

function wrong(path: string, what: string, hint: string): HoldfastError {
  return new HoldfastError('E_WITNESS_KEYFILE', `${path} ${what}`, { hint })
}
