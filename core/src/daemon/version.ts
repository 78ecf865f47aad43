/** Facts about this installation and this boot of the machine. */
import { readFile } from 'node:fs/promises'
import { HoldfastError } from '@holdfast/sdk'

/** Version of Holdfast, as its package says. */
export async function readVersion(): Promise<string> {
  const path = new URL('../../package.json', import.meta.url)
  const content: unknown = JSON.parse(await readFile(path, 'utf8'))
  if (typeof content === 'object' && content !== null && 'version' in content) {
    if (typeof content.version === 'string') return content.version
  }
  throw new HoldfastError('E_INSTALLATION', `${path.pathname} has no version`, {
    hint: 'install Holdfast again',
  })
}

/** Another value after each boot of the machine. */
export async function readBootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
}
