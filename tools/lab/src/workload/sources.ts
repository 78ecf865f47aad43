/** Modules of the registry, with values that fit a lab. */
import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { LabError } from '../command.js'
import type { Lab } from '../lab.js'

const registry = fileURLToPath(new URL('../../../../modules-registry/', import.meta.url))

/** Copies a module of the registry to a lab's first node, with other values for some macros; returns the copy's directory. */
export async function moduleSources(
  lab: Lab,
  name: string,
  macros: Readonly<Record<string, string>>,
): Promise<string> {
  const directory = join(lab.host('n1').directory, 'module', name)
  await rm(directory, { recursive: true, force: true })
  await cp(join(registry, name), directory, { recursive: true })
  // Beside it, as in the registry: what modules share.
  await cp(join(registry, 'lib'), join(directory, '..', 'lib'), { recursive: true })
  const file = join(directory, 'conf', 'userconfig.xml')
  let xml = await readFile(file, 'utf8')
  for (const [macro, value] of Object.entries(macros)) {
    const pattern = new RegExp(`(<macro name="${macro}" value=")[^"]*"`)
    if (!pattern.test(xml)) throw new LabError(`${file} has no macro ${macro}`)
    xml = xml.replace(pattern, `$1${value}"`)
  }
  await writeFile(file, xml)
  return directory
}
