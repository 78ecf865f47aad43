/** Where modules come from: directories and archives that operators name, and the places that they edit. */
import { readdir, stat } from 'node:fs/promises'
import { HoldfastError } from '@holdfast/sdk'
import { codeOf } from '../files/atomic.js'
import { aboutPackage, type ModuleAbout } from './applied.js'
import { readArchive } from '../packages/archive.js'
import { type ModulePackage, readPackage } from '../packages/package.js'

export async function readSources(path: string): Promise<ModulePackage> {
  try {
    return (await stat(path)).isDirectory() ? await readPackage(path) : await readArchive(path)
  } catch (thrown) {
    if (codeOf(thrown) !== 'ENOENT' && codeOf(thrown) !== 'ENOTDIR') throw thrown
    throw new HoldfastError('E_PACKAGE_INVALID', `there is no ${path}`, {
      hint: 'name a directory with the sources of a module, or a .safe archive',
    })
  }
}

/** Sources that the operator is editing may be incomplete: they are listed all the same. */
export async function aboutSources(path: string, name: string): Promise<ModuleAbout> {
  try {
    return aboutPackage(await readPackage(path), name)
  } catch (thrown) {
    if (!(thrown instanceof HoldfastError)) throw thrown
    return { title: name, version: '0.0.0' }
  }
}

export async function namesIn(path: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true })
    const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
    return names.filter((name) => /^[a-z][a-z0-9_-]{0,31}$/.test(name))
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT') return []
    throw thrown
  }
}
