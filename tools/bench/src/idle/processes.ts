/** What a process used so far and what memory it has, as the kernel counts it. */
import { readdir, readFile } from 'node:fs/promises'
import { microsecondsPerTick, textOf } from '../cpu.js'

/** Counted since the process began; only differences mean anything. */
export interface Usage {
  /** Of all its threads, and of the programs that it ran and that ended. */
  readonly cpuUs: number
  /** How often one of its threads went to sleep, so how often one was woken. */
  readonly sleeps: number
}

/** Bytes. */
export interface Memory {
  readonly resident: number
  /**
   * What the machine would get back when this process ends and the daemon goes on: all but the pages of files that the
   * daemon maps as well, of which the largest is Node.js itself.
   */
  readonly own: number
}

const nanosecondsPerMicrosecond = 1_000
const kilobyte = 1_024

/** Undefined: it is gone. */
export async function usageOf(pid: number): Promise<Usage | undefined> {
  const directory = `/proc/${String(pid)}`
  const stat = await textOf(`${directory}/stat`)
  if (stat === '') return undefined
  const usage = { cpuUs: childrenTicks(stat) * microsecondsPerTick, sleeps: 0 }
  for (const thread of await readdir(`${directory}/task`)) {
    // Nanoseconds on a processor, nanoseconds of waiting for one, how often it got one.
    const [running = '0'] = (await textOf(`${directory}/task/${thread}/schedstat`)).split(' ')
    usage.cpuUs += Number(running) / nanosecondsPerMicrosecond
    usage.sleeps += sleepsOf(await textOf(`${directory}/task/${thread}/status`))
  }
  return usage
}

/** `beside`: the process whose files are there anyway. */
export async function memoryOf(pid: number, beside: number): Promise<Memory> {
  const there = new Set(mappingsOf(await mapsOf(beside)).map(({ file }) => file))
  const memory = { resident: 0, own: 0 }
  for (const { file, resident, anonymous } of mappingsOf(await mapsOf(pid))) {
    memory.resident += resident
    memory.own += pid !== beside && there.has(file) && file !== '' ? anonymous : resident
  }
  return memory
}

export interface Mapping {
  /** Empty for memory that belongs to no file. */
  readonly file: string
  readonly resident: number
  /** The pages that are not the file's any more, or never were. */
  readonly anonymous: number
}

/** Of `/proc/PID/smaps`. Pure. */
export function mappingsOf(smaps: string): readonly Mapping[] {
  const mappings: { file: string; resident: number; anonymous: number }[] = []
  for (const line of smaps.split('\n')) {
    const head = /^[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ (\d+) *(.*)$/.exec(line)
    if (head !== null) {
      mappings.push({ file: head[1] === '0' ? '' : (head[2] ?? ''), resident: 0, anonymous: 0 })
      continue
    }
    const [, name, kilobytes] = /^(Rss|Anonymous): +(\d+) kB$/.exec(line) ?? []
    const mapping = mappings.at(-1)
    if (mapping === undefined || name === undefined) continue
    mapping[name === 'Rss' ? 'resident' : 'anonymous'] = Number(kilobytes) * kilobyte
  }
  return mappings
}

/** Fields 16 and 17 of the whole line: what was used by children that were waited for. */
export function childrenTicks(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return Number(fields[13] ?? 0) + Number(fields[14] ?? 0)
}

function sleepsOf(status: string): number {
  return Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(status)?.[1] ?? 0)
}

function mapsOf(pid: number): Promise<string> {
  return readFile(`/proc/${String(pid)}/smaps`, 'utf8')
}
