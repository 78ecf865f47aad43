/** Times: people read them in their own zone, programs in UTC. */
import { moduleStateOf } from '@holdfast/plugin-api/testing'
import test from 'ava'
import { holdfast, pair } from './cli.fixture.js'
import { inLocalTime, withInstants } from './output/times.js'

test('a moment is told to people in their own time zone, whoever wrote it, and to programs in UTC', async (t) => {
  const [n1] = await pair(t)
  const sinceMs = Date.parse('2026-11-21T23:30:00.250Z')
  const cause = 'synchronised at 2026-11-21T23:30:00.250Z'
  n1.control.addModule('web', moduleStateOf('SECOND', 'Ready', { cause, sinceMs }))
  n1.control.append('event', 'synchronised', 'web', cause)
  const reader = { socket: n1.socket, environment: { TZ: 'Asia/Tokyo' } }
  const local = /at 2026-11-22 08:30:00\.250/
  t.regex((await holdfast(reader, 'state', '-H', 'n1')).out, local)
  t.regex(
    (await holdfast(reader, 'state', '-H', 'n1', '--verbose')).out,
    /since 2026-11-22 08:30:00/,
  )
  t.regex((await holdfast(reader, 'log')).out, local)
  const { modules } = JSON.parse((await holdfast(reader, 'state', '--json')).out).nodes[0]
  t.like(modules[0].state, { sinceMs, since: '2026-11-21T23:30:00.250Z', cause })
})

test('a span, a name that is taken and a date that is none stay what they are', (t) => {
  t.deepEqual(withInstants({ everyMs: 5000, at: 1, atMs: 2e12, of: [{ madeMs: 1e12 }] }), {
    ...{ everyMs: 5000, at: 1, atMs: 2e12 },
    of: [{ madeMs: 1e12, made: '2001-09-09T01:46:40.000Z' }],
  })
  for (const text of ['2026-19-39T99:00:00Z', 'diverged-2026-11-21T10-00-00', '2026-11-21']) {
    t.is(inLocalTime(text), text)
  }
})
