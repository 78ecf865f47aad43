/** Packs the directory of a plugin: `plugin.json`, what `files` of its package.json names, README and licence; signed on request. */
import { lstat, readdir, readFile, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import {
  makeArchive,
  makePackage,
  type PackageFile,
  pluginArchive,
  signatureOf,
} from '@holdfast/core'
import { HoldfastError } from '@holdfast/sdk'

const always = ['plugin.json', 'README.md', 'LICENSE', 'package.json']
const filesMax = 1_000

/** Returns the path of the archive, `ID-VERSION.hfp`. The same files give the same bytes. */
export async function packPlugin(
  directory: string,
  options: { readonly keyFile?: string; readonly out?: string } = {},
): Promise<string> {
  const { id, version } = await identity(directory)
  const files: PackageFile[] = []
  for (const name of [...always, ...(await chosen(directory))]) {
    await collect(directory, join(directory, name), files)
  }
  const unique = [...new Map(files.map((file) => [file.path, file])).values()]
  const privatePem = options.keyFile === undefined ? undefined : await keyOf(options.keyFile)
  const bytes = await makeArchive(
    makePackage(unique, directory, 'plugin.json'),
    privatePem === undefined ? undefined : (list) => signatureOf('plugin', list, privatePem),
    pluginArchive,
  )
  const path = options.out ?? join(directory, `${id}-${version}.hfp`)
  await writeFile(path, bytes)
  return path
}

async function keyOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (thrown) {
    if (!(thrown instanceof Error) || !('code' in thrown)) throw thrown
    throw new HoldfastError('E_PLUGIN_KEY', `the key ${file} can't be read: ${thrown.message}`, {
      hint: 'make one with: holdfast-plugin keygen NAME',
      cause: thrown,
    })
  }
}

async function identity(directory: string): Promise<{ id: string; version: string }> {
  const { id, version } = entries(await json(join(directory, 'plugin.json')))
  if (typeof id === 'string' && typeof version === 'string') {
    await insistSameVersion(directory, version)
    return { id, version }
  }
  throw new HoldfastError('E_PLUGIN_MANIFEST', `${directory}/plugin.json has no id and version`, {
    hint: 'holdfast-plugin check tells everything that is wrong with it',
  })
}

/** Two versions of one thing: whoever raised only one of them would publish what it did not mean. */
async function insistSameVersion(directory: string, version: string): Promise<void> {
  const other = entries(await json(join(directory, 'package.json')))['version']
  if (other === undefined || other === version) return
  throw new HoldfastError(
    'E_PLUGIN_MANIFEST',
    `plugin.json says version ${version}, package.json says ${JSON.stringify(other)}`,
    { hint: `write the same version in both, in ${directory}; nothing was packed` },
  )
}

async function chosen(directory: string): Promise<readonly string[]> {
  const { files } = entries(await json(join(directory, 'package.json')))
  return Array.isArray(files) ? files.map(String) : ['dist']
}

/** Tests are for whoever builds it. */
async function collect(root: string, path: string, files: PackageFile[]): Promise<void> {
  const stats = await lstat(path).catch((thrown: unknown) => {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return undefined
    throw thrown
  })
  if (stats === undefined || /\.(test\.js|tsbuildinfo|d\.ts|map)$/.test(path)) return
  if (stats.isDirectory()) {
    for (const name of (await readdir(path)).sort()) await collect(root, join(path, name), files)
    return
  }
  if (!stats.isFile()) {
    throw new HoldfastError('E_PACKAGE_INVALID', `${path} is neither a file nor a directory`, {
      hint: 'a plugin holds plain files only',
    })
  }
  if (files.length >= filesMax) {
    throw new HoldfastError('E_PACKAGE_INVALID', `more than ${String(filesMax)} files`, {
      hint: 'bundle what the plugin needs into a few files',
    })
  }
  const isExecutable = (stats.mode & 0o111) !== 0
  files.push({ path: relative(root, path), isExecutable, data: await readFile(path) })
}

async function json(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'))
  } catch (thrown) {
    if (!(thrown instanceof Error)) throw thrown
    throw new HoldfastError('E_PLUGIN_MANIFEST', `${path}: ${thrown.message}`, {
      hint: 'name the directory of a plugin; holdfast-plugin new NAME begins one',
      cause: thrown,
    })
  }
}

function entries(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}
