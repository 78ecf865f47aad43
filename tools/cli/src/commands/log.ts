/** `holdfast log`: what happened, when and why. */
import type { LogLevel } from '@holdfast/sdk'
import { HoldfastError } from '@holdfast/sdk'
import { readEvents } from '../api/events.js'
import type { LogAnswer, LogEntry } from '../api/views.js'
import { cliErrors, exitCode, usageError } from '../exit.js'
import { printable } from '../output/format.js'
import { instant } from '../output/times.js'
import type { Colour } from '../output/terminal.js'
import type { CommandSpec, Context, Input } from '../spec.js'
import { chosenNode, jsonOption, moduleOption, nodesOption } from './options.js'

interface Wanted {
  readonly module: string | undefined
  readonly node: string | undefined
  readonly verbose: boolean
  readonly json: boolean
}

const entriesMax = 1000
const pollMs = 1000
/** A daemon that is restarted or upgraded is back by then. */
const reconnectsMax = 60

export const logCommand: CommandSpec = {
  name: 'log',
  summary: 'the log of a module, or of the whole node',
  options: [
    { ...moduleOption, summary: 'only entries of this module' },
    { ...nodesOption, summary: 'of this node instead of this one' },
    { short: 'f', long: 'follow', summary: 'go on with what happens' },
    {
      short: 's',
      long: 'size',
      value: 'N',
      summary: `the newest N entries, at most ${String(entriesMax)} (100)`,
    },
    {
      short: 'v',
      long: 'verbose',
      summary: 'also entries for the curious (info, debug), and all their fields',
    },
    jsonOption,
  ],
  examples: ['holdfast log -m web -f', 'holdfast log -s 500 -v', 'holdfast log --json | jq .event'],
  run,
}

async function run(context: Context, input: Input): Promise<number> {
  const size = Number(input.option('size') ?? '100')
  if (!Number.isInteger(size) || size < 0 || size > entriesMax) {
    throw usageError(`-s must be 0 to ${String(entriesMax)}`, 'for example: holdfast log -s 200')
  }
  const wanted: Wanted = {
    module: input.option('module'),
    node: await chosenNode(context, input),
    verbose: input.flag('verbose'),
    json: input.flag('json'),
  }
  const entries = await newest(context, wanted, Math.max(size, 1))
  const last = entries.at(-1)?.sequence ?? 0
  for (const entry of size === 0 ? [] : entries) show(context, wanted, entry)
  if (!input.flag('follow')) return exitCode.done
  return wanted.node === undefined ? stream(context, wanted, last) : poll(context, wanted, last)
}

async function newest(
  context: Context,
  wanted: Wanted,
  limit: number,
  afterSequence?: number,
): Promise<readonly LogEntry[]> {
  const { module, node, verbose } = wanted
  const path = module === undefined ? '/log' : `/modules/${encodeURIComponent(module)}/log`
  const query = {
    limit: String(limit),
    verbose: String(verbose),
    afterSequence: afterSequence === undefined ? undefined : String(afterSequence),
  }
  return (await context.client.get<LogAnswer>(path, { query, node })).entries
}

/** The stream starts behind what was printed, also after holdfastd was restarted. */
async function stream(context: Context, wanted: Wanted, from: number): Promise<number> {
  const query = { module: wanted.module, verbose: String(wanted.verbose) }
  let last = from
  let failures = 0
  for (;;) {
    try {
      const headers = { 'last-event-id': String(last) }
      const { signal } = new AbortController()
      const response = await context.client.stream('/events', { query }, headers, signal)
      failures = 0
      await readEvents(response, ({ name, id, content }) => {
        if (name !== 'logged') return
        last = id ?? last
        show(context, wanted, content as LogEntry) // The document of the API.
      })
    } catch (error) {
      const isAway = error instanceof HoldfastError && awayCodes.includes(error.code)
      if (!isAway || failures >= reconnectsMax) throw error
    }
    failures += 1
    await pause(pollMs)
  }
}

const awayCodes: readonly string[] = [cliErrors.noDaemon, cliErrors.lost]

async function poll(context: Context, wanted: Wanted, from: number): Promise<number> {
  let last = from
  for (;;) {
    const entries = await newest(context, wanted, entriesMax, last)
    for (const entry of entries) show(context, wanted, entry)
    last = entries.at(-1)?.sequence ?? last
    await pause(pollMs)
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}

const letters: Readonly<Record<LogLevel, readonly [string, Colour | undefined]>> = {
  critical: ['C', 'red'],
  warning: ['W', 'orange'],
  event: ['E', undefined],
  info: ['I', 'grey'],
  debug: ['D', 'grey'],
}

function show(context: Context, wanted: Wanted, entry: LogEntry): void {
  const { terminal } = context
  if (wanted.json) {
    terminal.json(entry, 'line')
    return
  }
  const [letter, colour] = letters[entry.level]
  const place = wanted.module === undefined ? `${(entry.module ?? '-').padEnd(12)} ` : ''
  const line = `${instant(entry.atMs)} ${letter} ${place}${textOf(entry, wanted.verbose)}`
  terminal.out(colour === undefined ? line : terminal.colour(colour, line))
}

/**
 * `text` is the sentence for people; without one, the name of the event and its reason are it. The other fields
 * stand behind it when asked for, and always when there is no sentence.
 */
function textOf(entry: LogEntry, verbose: boolean): string {
  const { text, cause, reason, ...fields } = entry.fields
  const why = [cause, reason].filter((part) => typeof part === 'string').join(': ')
  const rest = Object.entries(fields).flatMap(([name, value]) => {
    return value === undefined || value === null ? [] : [`${name}=${valueText(value)}`]
  })
  const sentence = typeof text === 'string' ? text : entry.event
  const name = verbose && typeof text === 'string' ? [entry.event] : []
  const behind = verbose || typeof text !== 'string' ? [...name, ...rest] : []
  const story = why === '' ? sentence : `${sentence}: ${why}`
  return printable([story, behind.join(' ')].filter((part) => part !== '').join('  '))
}

function valueText(value: unknown): string {
  const isWord = typeof value === 'string' && /^[^\s"]+$/.test(value)
  return isWord ? value : JSON.stringify(value)
}
