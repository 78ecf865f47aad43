/** Routes about changing a module that runs: beginning it, and how far it is. */
import type { Control } from '@holdfast/sdk'
import { moduleName, object, roleNames } from '../schemas.js'
import { type ApiRoute, bodyOf, param } from './route.js'

const text = { type: 'string' }
const texts = { type: 'array', items: text }
const named = object({ name: moduleName }, ['name'])

const rolloutView = object(
  {
    ...{ module: text, from: text, to: text, warnings: texts },
    way: { enum: ['beside', 'rolling', 'stop'], description: 'rolling: one node after the other' },
    state: { enum: ['running', 'done', 'halted'] },
    steps: {
      type: 'array',
      description: 'Done, in this order',
      items: object({ what: { enum: ['stop', 'apply', 'start', 'swap'] }, nodes: texts }, [
        'what',
        'nodes',
      ]),
    },
    doing: { ...text, description: 'What is being done, or waited for' },
    nodes: {
      type: 'array',
      items: object(
        {
          node: text,
          version: { ...text, description: 'Absent: it is not reached' },
          role: { enum: roleNames },
          isNew: { type: 'boolean', description: 'It has the new configuration' },
        },
        ['node', 'isNew'],
      ),
    },
    reason: { ...text, description: 'Why it halted' },
    hint: text,
  },
  ['module', 'way', 'state', 'from', 'to', 'steps', 'nodes', 'warnings'],
)

export function rolloutRoutes(control: Control): readonly ApiRoute[] {
  return [
    {
      method: 'POST',
      path: '/modules/:name/rollout',
      summary:
        'Begin to apply the sources while the module runs: at once when possible, else node by node',
      params: named,
      body: object({
        stop: {
          type: 'boolean',
          description: 'All nodes may stand still meanwhile, if nothing else is possible',
        },
        plugins: {
          type: 'object',
          maxProperties: 64,
          additionalProperties: { type: 'string', maxLength: 64 },
          description: 'Plugin → the version to move to, or newest',
        },
      }),
      response: rolloutView,
      handle: (request) => {
        const body = bodyOf<Omit<Parameters<Control['moduleRollout']>[0], 'name'>>(request)
        return control.moduleRollout({ ...body, name: param(request, 'name') })
      },
    },
    {
      method: 'GET',
      path: '/modules/:name/rollout',
      summary: 'The last rollout that this node led',
      params: named,
      response: rolloutView,
      handle: (request) => control.moduleRolloutView(param(request, 'name')),
    },
  ]
}
