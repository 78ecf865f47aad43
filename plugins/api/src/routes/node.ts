/** Routes about this node and its log. */
import type { Control, LogEntry } from '@holdfast/sdk'
import { logAnswer, logQuery, object } from '../schemas.js'
import type { ApiRoute } from './route.js'

export function nodeRoutes(control: Control): readonly ApiRoute[] {
  return [
    {
      method: 'GET',
      path: '/node',
      summary: 'This node: its name, its version, its cluster',
      response: object(
        {
          node: { type: 'string', description: 'Absent: this node belongs to no cluster yet' },
          cluster: { type: 'string' },
          version: { type: 'string' },
          pid: { type: 'integer' },
        },
        ['version', 'pid'],
      ),
      handle: () => {
        const { self, cluster } = control.cluster()
        return Promise.resolve({ node: self, cluster, version: control.version, pid: process.pid })
      },
    },
    {
      method: 'GET',
      path: '/log',
      summary: 'The newest entries of the log of this node, oldest first',
      query: logQuery,
      response: logAnswer,
      handle: ({ query }) => Promise.resolve({ entries: logEntries(control, query, undefined) }),
    },
  ]
}

/** `query` has passed `logQuery`. */
export function logEntries(
  control: Control,
  query: Readonly<Record<string, string>>,
  module: string | undefined,
): readonly LogEntry[] {
  const after = query['afterSequence']
  return control.log({
    limit: Number(query['limit']),
    verbose: query['verbose'] === 'true',
    ...(module === undefined ? {} : { module }),
    ...(after === undefined ? {} : { afterSequence: Number(after) }),
  })
}
