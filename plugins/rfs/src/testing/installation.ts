/** For tests: the package installed a second time, as after an upgrade, with what was changed in it. */
import { appendFile, cp, mkdtemp, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ours = fileURLToPath(new URL('../../', import.meta.url))

/** `appended`: text by path beneath `dist`. `run` gets the program of its data plane. */
export async function withInstallation(
  appended: Readonly<Record<string, string>>,
  run: (entry: string) => Promise<void>,
): Promise<void> {
  const root = await mkdtemp('/var/tmp/hfrfs-upgraded-')
  try {
    await cp(ours, join(root, 'plugins/rfs'), { recursive: true })
    await symlink(join(ours, '../../node_modules'), join(root, 'node_modules'))
    const dist = join(root, 'plugins/rfs/dist')
    for (const [path, text] of Object.entries(appended)) await appendFile(join(dist, path), text)
    await run(join(dist, 'plane/main.js'))
  } finally {
    await rm(root, { recursive: true, force: true })
  }
}
