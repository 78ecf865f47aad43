import test from 'ava'
import { compileSchema } from './validate.js'

const problemsOf = compileSchema({
  type: 'object',
  properties: { at: { type: 'string', format: 'cron' }, to: { type: 'string', format: 'email' } },
})

test('a cron expression is judged field by field, and what is wrong says the field and what is allowed', (t) => {
  for (const at of ['0 * * * *', '*/15 0-6 1,15 jan-mar 1-5', '30 2 * * sun']) {
    t.deepEqual(problemsOf({ at }), [], at)
  }
  const wrong = [
    ...['', 'x', '60 * * * *', '* * *', '* * * * * *', '*/0 * * * *', '5-1 * * * *', '0 24 * * *'],
    ...['* * 0 * *', '* * * 13 *', '* * * * 8', '1/2/3 * * * *', '1- * * * *', 'a,b * * * *'],
  ]
  for (const at of wrong) t.is(problemsOf({ at })[0]?.pointer, '/at', at)
  const message = (at: string): string => problemsOf({ at })[0]?.message ?? ''
  t.regex(message('0 24 * * *'), /^"24" is no hour; allowed: \*, 0 to 23/)
  t.regex(message('* * *'), /^write five fields: minute, hour, day of month, month, day of week/)
  t.is(problemsOf({ to: 'nobody' })[0]?.message, 'must match format "email"')
})
