/** Files with the output of scripts, one a run: named, bounded, the oldest removed. */
import { mkdir, open, readdir, rm, stat, truncate } from 'node:fs/promises'
import { errnoOf } from './errno.js'

export interface KeptFile {
  readonly name: string
  readonly bytes: number
}

export const runsMax = 50
const sameSecondMax = 100

/** `userlog_2026-11-21T090236_start_prim.ulog`: sorted by name is sorted by time. */
export function outputName(wallMs: number, script: string, attempt: number): string {
  const time = new Date(wallMs).toISOString().slice(0, 19).replaceAll(':', '')
  const suffix = attempt === 0 ? '' : `.${String(attempt)}`
  return `userlog_${time}_${script}${suffix}.ulog`
}

/**
 * Which files go, and which are emptied, so that about `runsMax` files with `bytesMax` together stay. Pure. The newest
 * file of each script always stays: the application may still be writing into it, and a removed file that somebody
 * has open grows unseen.
 */
export function plannedRemovals(
  files: readonly KeptFile[],
  bytesMax: number,
): { readonly remove: readonly string[]; readonly empty: readonly string[] } {
  const newestFirst = [...files].sort((a, b) => (a.name < b.name ? 1 : -1))
  const remove: string[] = []
  const empty: string[] = []
  const seen = new Set<string>()
  let bytes = 0
  for (const [index, file] of newestFirst.entries()) {
    const script = scriptOf(file.name)
    const isNewest = !seen.has(script)
    seen.add(script)
    const fits = bytes + file.bytes <= bytesMax
    if (fits) bytes += file.bytes
    if (isNewest && !fits) empty.push(file.name)
    if (!isNewest && (!fits || index >= runsMax)) remove.push(file.name)
  }
  return { remove, empty }
}

function scriptOf(name: string): string {
  return /^userlog_[^_]*_([a-z_]*)/.exec(name)?.[1] ?? name
}

/** Opens a new file for one run; the caller closes the descriptor once the script has it. */
export async function openOutput(directory: string, wallMs: number, script: string) {
  for (let attempt = 0; attempt < sameSecondMax; attempt++) {
    const path = `${directory}/${outputName(wallMs, script, attempt)}`
    try {
      // Appending: after the file was emptied, the next line begins at its start again.
      return { path, file: await open(path, 'ax', 0o640) }
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error
    }
  }
  const path = `${directory}/${outputName(wallMs, script, 0)}`
  return { path, file: await open(path, 'a', 0o640) }
}

export async function tidyOutput(directory: string, bytesMax: number): Promise<void> {
  await mkdir(directory, { recursive: true })
  const files: KeptFile[] = []
  for (const name of await readdir(directory)) {
    if (!/^userlog_.*\.ulog$/.test(name)) continue
    const bytes = await sizeOf(`${directory}/${name}`)
    if (bytes !== undefined) files.push({ name, bytes })
  }
  const { remove, empty } = plannedRemovals(files, bytesMax)
  for (const name of remove) await rm(`${directory}/${name}`, { force: true })
  for (const name of empty) await truncate(`${directory}/${name}`, 0)
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}
