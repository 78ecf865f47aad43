/** Makes the directory of a new plugin. It works at once: its tools are those of this installation. */
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { HoldfastError } from '@holdfast/sdk'
import { templateFiles } from './template.js'

/** Returns the paths that were written. Throws when the directory exists. */
export async function newPlugin(directory: string, name: string): Promise<readonly string[]> {
  if (!/^[a-z][a-z0-9]{0,31}$/.test(name)) {
    throw new HoldfastError('E_PLUGIN_NAME', `"${name}" can't be the name of a checker`, {
      hint: 'use up to 32 lower-case letters and digits, for example redis',
    })
  }
  const links = toolLinks()
  try {
    await mkdir(directory)
  } catch (thrown) {
    if (!(thrown instanceof Error) || !('code' in thrown)) throw thrown
    throw new HoldfastError('E_PLUGIN_EXISTS', `${directory} can't be made: ${thrown.message}`, {
      hint: 'name a directory that does not exist yet',
      cause: thrown,
    })
  }
  const files = templateFiles(`checker-${name}`, name)
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true })
    await writeFile(join(directory, path), text)
  }
  await linkTools(directory, links)
  return Object.keys(files)
}

interface Links {
  readonly '@holdfast/sdk': string
  readonly typescript: string
  readonly '@types/node': string
}

/** A node has everything to run, check and pack plugins, but no compiler. */
function toolLinks(): Links {
  try {
    return {
      '@holdfast/sdk': packageDirectory('@holdfast/sdk', '..'),
      typescript: packageDirectory('typescript/package.json', '.'),
      '@types/node': packageDirectory('@types/node/package.json', '.'),
    }
  } catch (thrown) {
    if (!(thrown instanceof Error) || !('code' in thrown)) throw thrown
    throw new HoldfastError('E_PLUGIN_TOOLS', 'there is no TypeScript in this installation', {
      hint: 'begin the project with the holdfast-plugin of a clone of Holdfast (docs/PLUGINS.md); check, pack and keygen work here too',
      cause: thrown,
    })
  }
}

/** A registry is not needed: the installation has everything, and the sdk that the plugin will meet. */
async function linkTools(directory: string, links: Links): Promise<void> {
  const modules = join(directory, 'node_modules')
  for (const [name, target] of Object.entries<string>({ ...links })) {
    await mkdir(dirname(join(modules, name)), { recursive: true })
    await symlink(target, join(modules, name))
  }
  await writeProgram(modules, 'tsc', join(links.typescript, 'lib/tsc.js'))
  await writeProgram(modules, 'holdfast-plugin', fileURLToPath(new URL('main.js', import.meta.url)))
}

/** The same Node that runs this one: the file itself may not be executable, and `node` another version. */
async function writeProgram(modules: string, name: string, script: string): Promise<void> {
  await mkdir(join(modules, '.bin'), { recursive: true })
  const text = `#!/bin/sh\nexec "${process.execPath}" "${script}" "$@"\n`
  await writeFile(join(modules, '.bin', name), text, { mode: 0o755 })
}

/** Where a package of the installation lies; `up` leads from what its name resolves to. */
function packageDirectory(name: string, up: string): string {
  return fileURLToPath(new URL(up, import.meta.resolve(name))).replace(/\/$/, '')
}
