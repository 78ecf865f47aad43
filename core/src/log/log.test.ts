/** The event log: numbers that go on, bounded files, no secrets, no forged lines. */
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LogEntry } from '@holdfast/sdk'
import test from 'ava'
import { EventLog } from './event-log.js'
import { lineOf } from './print.js'

function inDirectory(act: (directory: string) => void): void {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-log-'))
  try {
    act(directory)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

function open(directory: string, bytes?: number): EventLog {
  return new EventLog({
    ...{ directory, clock: { wallMs: () => 1_000 }, print: undefined },
    ...(bytes === undefined ? {} : { fileBytesMax: bytes }),
  })
}

test('numbers and entries go on after a restart, also behind a torn line', (t) => {
  inDirectory((directory) => {
    const first = open(directory)
    first.for('m', 'p').write('event', 'one')
    first.for(undefined, undefined).write('event', 'two')
    first.close()
    appendFileSync(join(directory, 'events.jsonl'), '{"sequence":3,"ev')
    const second = open(directory)
    second.for('m', 'p').write('event', 'three')
    second.close()
    const third = open(directory)
    const entries = third.read({ limit: 10, verbose: true })
    t.deepEqual(
      entries.map(({ sequence, event }) => [sequence, event]),
      [
        [1, 'one'],
        [2, 'two'],
        [3, 'three'],
      ],
    )
    third.close()
  })
})

test('files stay below their maximum, and there are never more than two', (t) => {
  inDirectory((directory) => {
    const log = open(directory, 2_000)
    for (let n = 0; n < 100; n++) log.for('m', 'p').write('event', 'again', { n })
    log.close()
    t.deepEqual(readdirSync(directory).sort(), ['events.1.jsonl', 'events.jsonl'])
    for (const file of readdirSync(directory)) t.true(statSync(join(directory, file)).size <= 2_000)
    const again = open(directory, 2_000)
    t.is(again.read({ limit: 1, verbose: true })[0]?.sequence, 100)
    again.close()
  })
})

test('a filter selects by module, number and level, and keeps the newest', (t) => {
  inDirectory((directory) => {
    const log = open(directory)
    log.for('a', 'p').write('event', 'a1')
    log.for('b', 'p').write('event', 'b1')
    log.for('a', 'p').write('debug', 'a2')
    log.for('a', 'p').write('critical', 'a3')
    const events = (filter: Parameters<EventLog['read']>[0]): string[] =>
      log.read(filter).map(({ event }) => event)
    t.deepEqual(events({ module: 'a', limit: 10, verbose: false }), ['a1', 'a3'])
    t.deepEqual(events({ module: 'a', limit: 2, verbose: true }), ['a2', 'a3'])
    t.deepEqual(events({ afterSequence: 2, limit: 10, verbose: true }), ['a2', 'a3'])
    log.close()
  })
})

test('fields named like secrets never reach memory, file or watcher', (t) => {
  inDirectory((directory) => {
    const log = open(directory)
    const heard: LogEntry[] = []
    log.watch((entry) => heard.push(entry))
    const secrets = {
      token: 'S1',
      apiKey: 'S2',
      inner: { password: 'S3', list: [{ secret: 'S4' }] },
    }
    log.for('m', 'p').write('event', 'told', { ...secrets, name: 'shown' })
    const text = readFileSync(join(directory, 'events.jsonl'), 'utf8') + JSON.stringify(heard)
    t.notRegex(text, /S[1-4]/)
    t.regex(text, /shown/)
    log.close()
  })
})

test('endless fields are cut, and cycles do not hang the log', (t) => {
  inDirectory((directory) => {
    const log = open(directory)
    const loop: Record<string, unknown> = {}
    loop['self'] = loop
    log.for('m', 'p').write('event', 'big', { text: 'x'.repeat(1_000_000), loop })
    t.true(statSync(join(directory, 'events.jsonl')).size < 10_000)
    log.close()
  })
})

test('a line for the journal carries its priority, and an entry can not forge another line', (t) => {
  const entry: LogEntry = {
    sequence: 1,
    atMs: 0,
    level: 'critical',
    module: 'm',
    plugin: 'p',
    event: 'failed',
    fields: { text: 'one\n<5>m/p fine', n: 1 },
  }
  t.is(lineOf(entry, true), '<2>m/p failed "one ⏎ <5>m/p fine" n=1\n')
  t.regex(lineOf(entry, false), /^1970-01-01T00:00:00\.000Z critical m\/p failed/)
})
