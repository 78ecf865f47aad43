import { TestClock, TestLog } from '@holdfast/sdk/testing'
import test from 'ava'
import { Audit, windowMs } from './audit.js'

const set = {
  request: 'POST /api/v1/modules/web/commands/run',
  status: 200,
  command: 'resource set',
}

test('what a program asks a thousand times is written three times and summed up, and what somebody asks once is written', async (t) => {
  const log = new TestLog()
  const clock = new TestClock()
  const audit = new Audit(clock, log)
  for (let n = 0; n < 1_000; n++) audit.note(set)
  audit.note({ ...set, command: 'errd off' })
  audit.note({ ...set, status: 409 })
  t.is(log.lines.length, 5)
  t.like(log.lines[3]?.fields, { command: 'errd off' })
  await clock.pass(windowMs)
  t.is(log.lines.length, 6)
  t.like(log.lines[5], { event: 'requestsAnswered' })
  t.like(log.lines[5]?.fields, { ...set, times: 997 })
  audit.note(set)
  t.is(log.lines.length, 7, 'a new minute begins')
  audit.end()
  t.is(clock.pending, 0)
})

test('different requests without end are all written, and no more of them are remembered', (t) => {
  const log = new TestLog()
  const audit = new Audit(new TestClock(), log)
  for (let n = 0; n < 2_000; n++) audit.note({ request: `POST /${String(n)}`, status: 404 })
  t.is(log.lines.length, 2_000)
  audit.end()
  t.is(log.lines.length, 2_000)
})
