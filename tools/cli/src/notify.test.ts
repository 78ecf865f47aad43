/** `holdfast notify` against nodes whose notifiers are made up. */
import type { Route } from '@holdfast/sdk'
import { startFakeNodes } from '@holdfast/plugin-api/testing'
import test from 'ava'
import { holdfast } from './cli.fixture.js'

const anything = { type: 'object', additionalProperties: true }
const state = { waiting: 2, attempt: 1, deliveredMs: 0, failure: 'nobody at home' }
const answers = new Map<string, object>([
  ['GET /notify', { notifiers: [{ name: 'mail', ...state }] }],
  [
    'POST /notify/test',
    {
      notifiers: [
        { name: 'mail', ok: false, reason: 'nobody at home' },
        { name: 'webhook', ok: true, reason: '' },
      ],
    },
  ],
])

const routes = [...answers].map(([words, answer]): Route => {
  const [method, path = ''] = words.split(' ')
  return {
    ...{ method: method === 'GET' ? 'GET' : 'POST', path, summary: words, response: anything },
    handle: () => Promise.resolve(answer),
  }
})

test('a notifier that does not take the test is told with its node and reason, and the command fails', async (t) => {
  const { nodes, stop } = await startFakeNodes(['n1', 'n2'], routes)
  t.teardown(stop)
  const socket = nodes[0]?.socket ?? ''
  const all = await holdfast({ socket }, 'notify', 'test', '-H', '*')
  t.is(all.code, 1)
  for (const node of ['n1', 'n2']) {
    t.regex(all.out, new RegExp(`${node} +mail +not sent: nobody at home`))
    t.regex(all.out, new RegExp(`${node} +webhook +sent`))
  }
  const listed = await holdfast({ socket }, 'notify', 'list')
  t.is(listed.code, 0)
  t.regex(listed.out, /this node +mail +2 +- +nobody at home/)
})
