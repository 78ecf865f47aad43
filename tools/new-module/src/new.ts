/** Makes the directory of a new module: sources that can be installed, tested and packed at once. */
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { HoldfastError } from '@holdfast/sdk'
import { sharedFiles, templateFiles } from './template.js'

const lib = fileURLToPath(new URL('../../../modules-registry/lib/', import.meta.url))

/** Returns the paths that were written. Throws when the directory exists. */
export async function newModule(directory: string, id: string): Promise<readonly string[]> {
  if (!/^[a-z][a-z0-9_-]{0,31}$/.test(id)) {
    throw new HoldfastError('E_MODULE_NAME', `"${id}" can't be the name of a module`, {
      hint: 'use up to 32 lower-case letters, digits, - and _, a letter first, for example shop',
    })
  }
  try {
    await mkdir(directory)
  } catch (thrown) {
    if (!(thrown instanceof Error) || !('code' in thrown)) throw thrown
    throw new HoldfastError('E_MODULE_EXISTS', `${directory} can't be made: ${thrown.message}`, {
      hint: 'name a directory that does not exist yet',
      cause: thrown,
    })
  }
  const files = templateFiles(id)
  for (const [path, text] of Object.entries(files)) {
    const file = join(directory, path)
    await mkdir(dirname(file), { recursive: true })
    const isProgram = path.startsWith('bin/') && !path.endsWith('.sh')
    await writeFile(file, text, { mode: isProgram ? 0o755 : 0o644 })
  }
  const shared = sharedFiles.map((name) => `bin/${name}`)
  for (const name of sharedFiles) await copyFile(join(lib, name), join(directory, 'bin', name))
  return [...Object.keys(files), ...shared]
}
