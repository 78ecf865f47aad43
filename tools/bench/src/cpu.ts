/** Processor time of the processes that move the data, as the kernel counts it. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Host } from '@holdfast/lab'

/** The unit of /proc/PID/stat towards programs: 100 a second on every Linux, whatever the kernel uses inside. */
export const microsecondsPerTick = 10_000

/** User and system time, in microseconds, of all processes of a node whose command line the filter accepts. */
export async function processorTimeUs(
  node: Host,
  accepts: (commandLine: readonly string[]) => boolean,
): Promise<number> {
  // The node's own /proc: only its processes are in it.
  const directory = await node.inside('/proc')
  let ticks = 0
  for (const entry of await readdir(directory)) {
    if (!/^\d+$/.test(entry)) continue
    const commandLine = await textOf(join(directory, entry, 'cmdline'))
    if (accepts(commandLine.split('\0')))
      ticks += ticksOf(await textOf(join(directory, entry, 'stat')))
  }
  return ticks * microsecondsPerTick
}

/** Fields 14 and 15, the 12th and 13th after the name in parentheses, which may hold spaces. */
export function ticksOf(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return Number(fields[11] ?? 0) + Number(fields[12] ?? 0)
}

/** Empty when the process ended meanwhile. */
export async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT' || code === 'ESRCH') return ''
    throw error
  }
}
