/** The processes of this machine, from /proc. Names in one pass for all entries; command lines only of those that matter. */
import { readdir, readFile } from 'node:fs/promises'
import type { Process } from './decide.js'

/** So many files are read at once: the daemon's other work goes between them. */
const batchSize = 32

export async function allProcesses(): Promise<readonly Process[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const found: Process[] = []
  for (let at = 0; at < pids.length; at += batchSize) {
    const batch = pids.slice(at, at + batchSize)
    const read = await Promise.all(batch.map((pid) => processOf(Number(pid))))
    found.push(...read.filter((one) => one !== undefined))
  }
  return found
}

/** Undefined: it is gone, or dead and not yet buried by its parent. */
export async function processOf(pid: number): Promise<Process | undefined> {
  const text = await textOf(`/proc/${String(pid)}/stat`)
  // The name stands in parentheses and may contain some.
  const open = text.indexOf('(')
  const close = text.lastIndexOf(')')
  const fields = text.slice(close + 2).split(' ')
  const [state, started] = [fields[0], fields[19]]
  if (open < 0 || started === undefined || state === 'Z' || state === 'X') return undefined
  return { pid, name: text.slice(open + 1, close), started }
}

/** Its arguments with blanks between; empty when it is gone. */
export async function commandLineOf(pid: number): Promise<string> {
  return (await textOf(`/proc/${String(pid)}/cmdline`)).replaceAll('\0', ' ').trimEnd()
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (thrown) {
    // A process may end at any moment, also between the opening and the reading.
    const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined
    if (code === 'ENOENT' || code === 'ESRCH') return ''
    throw thrown
  }
}
