/**
 * The node's event log: numbered entries in an append-only file (two files, rotated by size), the newest in memory,
 * each copied to standard output. A full disk never stops the node: entries are then only in memory.
 */
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Cancel, Clock, Log, LogEntry, LogLevel } from '@holdfast/sdk'
import { codeOf } from '../files/atomic.js'
import { masked } from './mask.js'

export const ringEntriesMax = 4_096
export const fileBytesMax = 8 * 1024 * 1024

export interface LogFilter {
  readonly module?: string
  readonly afterSequence?: number
  readonly limit: number
  readonly verbose: boolean
}

export interface EventLogOptions {
  readonly directory: string
  readonly clock: Pick<Clock, 'wallMs'>
  /** Receives one line an entry; undefined: nobody looks. */
  readonly print: ((entry: LogEntry) => void) | undefined
  readonly fileBytesMax?: number
}

export class EventLog {
  private readonly ring: LogEntry[]
  private readonly watchers = new Set<(entry: LogEntry) => void>()
  private readonly path: string
  private readonly olderPath: string
  private readonly bytesMax: number
  private file: number
  private bytes: number
  private sequence: number

  /** Reads what the last run left, so that the numbers go on; a torn last line is left behind. */
  constructor(private readonly options: EventLogOptions) {
    mkdirSync(options.directory, { recursive: true, mode: 0o750 })
    this.path = join(options.directory, 'events.jsonl')
    this.olderPath = join(options.directory, 'events.1.jsonl')
    this.bytesMax = options.fileBytesMax ?? fileBytesMax
    const text = textIfExists(this.path)
    this.ring = [...entriesIn(textIfExists(this.olderPath)), ...entriesIn(text)].slice(
      -ringEntriesMax,
    )
    this.sequence = this.ring.at(-1)?.sequence ?? 0
    this.file = openSync(this.path, 'a', 0o640)
    this.bytes = fstatSync(this.file).size
    if (text !== '' && !text.endsWith('\n')) this.append('\n')
  }

  /** The log as one plugin sees it. */
  for(module: string | undefined, plugin: string | undefined): Log {
    return {
      write: (level, event, fields = {}) => {
        this.write({ level, module, plugin, event, fields })
      },
    }
  }

  write(entry: {
    readonly level: LogLevel
    readonly module: string | undefined
    readonly plugin: string | undefined
    readonly event: string
    readonly fields: Readonly<Record<string, unknown>>
  }): void {
    this.sequence += 1
    const full: LogEntry = {
      sequence: this.sequence,
      atMs: this.options.clock.wallMs(),
      ...entry,
      fields: masked(entry.fields),
    }
    this.ring.push(full)
    if (this.ring.length > ringEntriesMax) this.ring.shift()
    this.append(`${JSON.stringify(full)}\n`)
    this.options.print?.(full)
    for (const watcher of this.watchers) watcher(full)
  }

  /** The newest `limit` entries, oldest first. Without `verbose`, what an operator wants to read. */
  read(filter: LogFilter): readonly LogEntry[] {
    const wanted = this.ring.filter(
      (entry) =>
        (filter.module === undefined || entry.module === filter.module) &&
        (filter.afterSequence === undefined || entry.sequence > filter.afterSequence) &&
        (filter.verbose || isForOperator(entry.level)),
    )
    return wanted.slice(-Math.max(1, Math.min(filter.limit, ringEntriesMax)))
  }

  watch(on: (entry: LogEntry) => void): Cancel {
    this.watchers.add(on)
    return () => {
      this.watchers.delete(on)
    }
  }

  close(): void {
    closeSync(this.file)
  }

  private append(line: string): void {
    try {
      if (this.bytes + line.length > this.bytesMax) this.rotate()
      this.bytes += writeSync(this.file, line)
    } catch (thrown) {
      // Disk full, quota, read-only: the log must not take the application's node down.
      if (!['ENOSPC', 'EDQUOT', 'EROFS', 'EIO'].includes(codeOf(thrown) ?? '')) throw thrown
    }
  }

  private rotate(): void {
    renameSync(this.path, this.olderPath)
    const next = openSync(this.path, 'a', 0o640)
    closeSync(this.file)
    this.file = next
    this.bytes = 0
  }
}

function isForOperator(level: LogLevel): boolean {
  return level === 'critical' || level === 'event' || level === 'warning'
}

function textIfExists(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT') return ''
    throw thrown
  }
}

function entriesIn(text: string): LogEntry[] {
  return text
    .split('\n')
    .slice(-ringEntriesMax - 1)
    .flatMap((line) => entryOf(line) ?? [])
}

function entryOf(line: string): LogEntry | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return isEntry(value) ? value : undefined
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return undefined // A line that a crash or a full disk cut.
    throw thrown
  }
}

function isEntry(value: unknown): value is LogEntry {
  if (typeof value !== 'object' || value === null) return false
  if (!('sequence' in value) || typeof value.sequence !== 'number') return false
  return 'event' in value && 'fields' in value && typeof value.fields === 'object'
}
