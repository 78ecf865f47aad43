/** The places that operators edit: which modules are there, and what each is. */
import { readdir } from 'node:fs/promises'
import { HoldfastError } from '@holdfast/sdk'
import { codeOf } from '../files/atomic.js'
import { aboutPackage, type ModuleAbout } from './applied.js'
import { readPackage } from '../packages/package.js'

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
