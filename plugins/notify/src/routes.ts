/** What operators ask of the notifiers, as routes of the API: how they are, and whether a message gets through. */
import {
  type Clock,
  HoldfastError,
  type Notice,
  type NoticeMessage,
  type Route,
} from '@holdfast/sdk'
import { attempt } from './attempt.js'
import type { Channel } from './channel.js'

const text = { type: 'string' }
const count = { type: 'integer' }
const answerOf = (properties: object): object => ({
  type: 'object',
  additionalProperties: false,
  required: ['notifiers'],
  properties: {
    notifiers: {
      type: 'array',
      items: {
        type: 'object',
        additionalProperties: false,
        required: Object.keys(properties),
        properties,
      },
    },
  },
})

export interface RouteParts {
  readonly channels: readonly Channel[]
  readonly clock: Pick<Clock, 'after' | 'wallMs'>
  readonly origin: () => Pick<NoticeMessage, 'cluster' | 'node'>
}

export function routesOf({ channels, clock, origin }: RouteParts): ReadonlyMap<string, Route> {
  const show: Route = {
    method: 'GET',
    path: '/notify',
    summary: 'The notifiers of this node, what waits, and what went wrong last',
    response: answerOf({
      ...{ name: text, waiting: count, attempt: count, deliveredMs: count, failure: text },
    }),
    handle: () => Promise.resolve({ notifiers: channels.map((channel) => channel.view()) }),
  }
  const test: Route = {
    method: 'POST',
    path: '/notify/test',
    summary: 'Send a test message through each notifier of this node now, and tell what came of it',
    response: answerOf({ name: text, ok: { type: 'boolean' }, reason: text }),
    handle: async ({ signal }) => {
      if (channels.length === 0) throw nobody()
      const message = testMessage(origin(), clock.wallMs())
      const notifiers = channels.map(async ({ notifier }) => {
        const verdict = await attempt(notifier, message, clock, signal)
        return { name: notifier.name, ok: verdict.ok, reason: verdict.ok ? '' : verdict.reason }
      })
      return { notifiers: await Promise.all(notifiers) }
    },
  }
  return new Map([
    ['notify show', show],
    ['notify test', test],
  ])
}

function testMessage(origin: Pick<NoticeMessage, 'cluster' | 'node'>, atMs: number): NoticeMessage {
  const notice: Notice = {
    ...{ sequence: 0, atMs, level: 'event', module: undefined, plugin: 'notify' },
    ...{ event: 'notifyTest', text: 'this is a test: notices of this node get through' },
    hint: undefined,
  }
  return { id: `${origin.node}-test-${String(atMs)}`, ...origin, notices: [notice], dropped: 0 }
}

function nobody(): HoldfastError {
  return new HoldfastError('E_NOTIFY_NONE', 'no notifier is set up on this node', {
    hint: 'write /etc/holdfast/plugins/notify-mail.json or notify-webhook.json, and restart holdfastd',
  })
}
