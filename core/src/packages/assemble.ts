/** A module's source directory as a package: its own files, and those of the registry's `lib/` that it shares. */
import { readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { HoldfastError } from '@holdfast/sdk'
import { codeOf } from '../files/atomic.js'
import { type ModuleManifest, manifestOf } from './manifest.js'
import { originName } from './origin.js'
import { makePackage, type ModulePackage, type PackageFile, readPackage } from './package.js'

const sharedBytesMax = 1024 * 1024

/** What was noted when the sources were installed elsewhere is no part of a package. */
export async function assemble(directory: string): Promise<ModulePackage> {
  const own = await readPackage(directory)
  const manifest = manifestOf(own, directory)
  const files = own.files.filter(({ path }) => path !== originName)
  const shared = await sharedFiles(directory, manifest?.shared ?? [])
  return makePackage([...files, ...shared], directory)
}

/** For packing: `E_PACKAGE_MANIFEST` when there is no module.json, which an archive must have. */
export function requireManifest(sources: ModulePackage, origin: string): ModuleManifest {
  const manifest = manifestOf(sources, origin)
  if (manifest !== undefined) return manifest
  throw new HoldfastError('E_PACKAGE_MANIFEST', `${origin} has no module.json`, {
    hint: 'docs/MODULES.md describes it; it needs id, version, title and platforms',
  })
}

async function sharedFiles(
  directory: string,
  names: readonly string[],
): Promise<readonly PackageFile[]> {
  const files: PackageFile[] = []
  for (const name of names) {
    const path = join(dirname(directory), 'lib', name)
    try {
      const { size, mode } = await stat(path)
      if (size > sharedBytesMax) throw refusal(directory, `${path} is larger than 1 MiB`)
      const isExecutable = (mode & 0o111) !== 0
      files.push({ path: `bin/${name}`, isExecutable, data: await readFile(path) })
    } catch (thrown) {
      if (codeOf(thrown) !== 'ENOENT' && codeOf(thrown) !== 'ENOTDIR') throw thrown
      throw refusal(directory, `its module.json shares ${name}, but there is no ${path}`)
    }
  }
  return files
}

function refusal(origin: string, what: string): HoldfastError {
  return new HoldfastError('E_PACKAGE_INVALID', `${origin} can't be packed: ${what}`, {
    hint: 'shared files lie in lib/ beside the directory of the module',
  })
}
