/** Which entries of the log go out, and what they say. Pure. */
import type { LogEntry, Notice } from '@holdfast/sdk'
import type { Settings } from './settings.js'

/** This plugin and the notifiers: what fails while notices are sent must not become a notice itself. */
const ownPlugins = /^notify(-|$)/
/** Each topology writes this entry when the state of its module changes. */
const stateEvent = 'stateChanged'

export function noticeOf(
  entry: LogEntry,
  { levels, states }: Pick<Settings, 'levels' | 'states'>,
): Notice | undefined {
  if (ownPlugins.test(entry.plugin ?? '')) return undefined
  if (!levels.includes(entry.level) && !isWantedState(entry, states)) return undefined
  const { sequence, atMs, level, module, plugin, event, fields } = entry
  const hint = textOf(fields['hint'])
  return { sequence, atMs, level, module, plugin, event, text: sentenceOf(event, fields), hint }
}

function isWantedState({ event, fields }: LogEntry, states: Settings['states']): boolean {
  if (event !== stateEvent || states === 'none') return false
  return states === 'all' || fields['from'] !== fields['role']
}

/** `text` is the sentence for people; without one the event and its fields stand for it. The reason follows. */
function sentenceOf(event: string, fields: LogEntry['fields']): string {
  const { text, cause, reason, ...others } = fields
  const told = Object.entries(others).flatMap(([name, value]) => {
    const isPlain = ['string', 'number', 'boolean'].includes(typeof value)
    return isPlain && name !== 'hint' ? [`${name}=${String(value)}`] : []
  })
  const sentence = textOf(text) ?? oneLine([event, ...told].join(' '))
  return [sentence, textOf(cause), textOf(reason)].filter((part) => part !== undefined).join(': ')
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? oneLine(value) : undefined
}

function oneLine(text: string): string {
  // What a terminal or a mail header would obey must not get out.
  return text.replace(/[\u0000-\u001f\u007f]+/g, ' ').trim()
}
