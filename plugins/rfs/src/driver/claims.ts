/**
 * Which directories the modules of this node replicate. Two modules on one directory would each mount over it and
 * write beneath the other's mount. Each module notes its directories beside its state; the next one's check reads them.
 */
import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { ModuleContext } from '@holdfast/sdk'
import { errnoOf } from './errno.js'
import { objectOf, parseObject } from './wire.js'

export interface Claim {
  readonly module: string
  readonly directory: string
}

const fileName = 'rfs-directories.json'

/** Not durable on purpose: it is written anew at each activation, and guards against a mistake of configuration only. */
export async function claim(context: ModuleContext, directories: readonly string[]): Promise<void> {
  const path = `${context.directories.state}/${fileName}`
  await mkdir(dirname(path), { recursive: true })
  await writeFile(`${path}.new`, JSON.stringify({ format: 1, directories }))
  await rename(`${path}.new`, path)
}

/** A module that is not applied any more has no package; its note is void. */
export async function claimsOfOthers(context: ModuleContext): Promise<readonly Claim[]> {
  const claims: Claim[] = []
  for (const module of await siblings(context)) {
    const of = (directory: string) => replaceName(directory, context.name, module)
    const applied = of(context.directories.package)
    const path = `${of(context.directories.state) ?? ''}/${fileName}`
    if (applied === undefined || !(await exists(applied))) continue
    const found = objectOf(parseObject(await readIfExists(path)))?.['directories']
    if (!Array.isArray(found)) continue
    for (const directory of found) {
      if (typeof directory === 'string') claims.push({ module, directory })
    }
  }
  return claims
}

/** Directories of modules differ in one component, the name of the module. */
export function replaceName(path: string, name: string, other: string): string | undefined {
  const parts = path.split('/')
  const at = parts.lastIndexOf(name)
  return at < 0 ? undefined : [...parts.slice(0, at), other, ...parts.slice(at + 1)].join('/')
}

async function siblings({ name, directories }: ModuleContext): Promise<readonly string[]> {
  const parts = directories.state.split('/')
  const at = parts.lastIndexOf(name)
  if (at < 0) return []
  try {
    const names = await readdir(parts.slice(0, at).join('/') || '/')
    return names.filter((one) => one !== name).sort()
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  }
}

async function readIfExists(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error))) return ''
    throw error
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error))) return false
    throw error
  }
}
