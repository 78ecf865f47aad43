/** Log entries on standard output: with a syslog priority for systemd's journal, readable otherwise. */
import type { LogEntry, LogLevel } from '@holdfast/sdk'

const priorities: Readonly<Record<LogLevel, number>> = {
  critical: 2,
  warning: 4,
  event: 5,
  info: 6,
  debug: 7,
}

/** One line without line breaks: an entry can't forge another one. */
export function lineOf(entry: LogEntry, underJournal: boolean): string {
  const { text, ...rest } = entry.fields
  const owner = [entry.module, entry.plugin].filter((part) => part !== undefined).join('/')
  const fields = Object.entries(rest).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
  const sentence = typeof text === 'string' ? `"${text}"` : ''
  const words = [owner === '' ? 'core' : owner, entry.event, sentence, ...fields]
  const line = words
    .filter((word) => word !== '')
    .join(' ')
    .replaceAll(/[\r\n]+/g, ' ⏎ ')
  if (underJournal) return `<${String(priorities[entry.level])}>${line}\n`
  return `${new Date(entry.atMs).toISOString()} ${entry.level.padEnd(8)} ${line}\n`
}
