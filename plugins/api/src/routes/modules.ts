/** Routes about modules: installing, configuring, ordering, watching them. */
import type { CommandOptions, Control, OperatorCommand } from '@holdfast/sdk'
import { presentModule } from '../present.js'
import {
  commandMsMax,
  commandResult,
  commandView,
  configReport,
  installReport,
  logAnswer,
  logQuery,
  moduleList,
  moduleName,
  moduleState,
  moduleView,
  nodeName,
  nothing,
  object,
  roleNames,
  subStates,
  waitMsMax,
} from '../schemas.js'
import type { Waits } from '../wait.js'
import { logEntries } from './node.js'
import { packageSource } from './packages.js'
import { type ApiRoute, bodyOf, param } from './route.js'

/** `wait` and `wakeup` are not among them: the rules of the failover give those, and keep account of them. */
const commands: readonly OperatorCommand[] = [
  'start',
  'stop',
  'forcestop',
  'restart',
  'stopstart',
  'swap',
  'prim',
  'primforce',
  'second',
]

const named = object({ name: moduleName }, ['name'])
const roleList = `^(${roleNames.join('|')})(,(${roleNames.join('|')}))*$`

export function moduleRoutes(control: Control, waits: Waits): readonly ApiRoute[] {
  return [
    ...reading(control),
    ...changing(control),
    ordering(control),
    ...running(control),
    waiting(waits),
  ]
}

function reading(control: Control): readonly ApiRoute[] {
  return [
    {
      method: 'GET',
      path: '/modules',
      summary: 'All modules of this node and their states',
      response: moduleList,
      handle: () => Promise.resolve({ modules: control.modules().map(presentModule) }),
    },
    {
      method: 'GET',
      path: '/modules/:name',
      summary: 'One module and its state',
      params: named,
      response: moduleView,
      handle: (request) => Promise.resolve(presentModule(control.module(param(request, 'name')))),
    },
    {
      method: 'GET',
      path: '/modules/:name/log',
      summary: 'The newest entries of the log of one module on this node, oldest first',
      params: named,
      query: logQuery,
      response: logAnswer,
      handle: (request) => {
        const { name } = control.module(param(request, 'name'))
        return Promise.resolve({ entries: logEntries(control, request.query, name) })
      },
    },
  ]
}

function changing(control: Control): readonly ApiRoute[] {
  return [
    {
      method: 'POST',
      path: '/modules',
      status: 201,
      summary: "Install a module's sources from a directory or an archive of this node",
      body: object({ name: moduleName, ...packageSource }, ['name', 'path']),
      response: installReport,
      handle: async (request) => {
        const report = await control.moduleInstall(bodyOf(request))
        return { ...presentModule(report), notes: report.notes }
      },
    },
    {
      method: 'POST',
      path: '/modules/:name/config',
      summary: 'Validate the sources and apply them on all nodes of the module, or on none',
      params: named,
      body: object({
        nodes: { type: 'array', items: nodeName, minItems: 1, maxItems: 16 },
        plugins: {
          type: 'object',
          maxProperties: 64,
          additionalProperties: { type: 'string', maxLength: 64 },
          description: 'Plugin → the version to move to, or newest',
        },
      }),
      response: configReport,
      handle: (request) => {
        const body = bodyOf<Omit<Parameters<Control['moduleConfig']>[0], 'name'>>(request)
        return control.moduleConfig({ ...body, name: param(request, 'name') })
      },
    },
    {
      method: 'POST',
      path: '/modules/:name/deconfig',
      summary: 'Take the applied configuration back on all nodes of the module',
      params: named,
      body: nothing,
      response: configReport,
      handle: (request) => control.moduleDeconfig({ name: param(request, 'name') }),
    },
    {
      method: 'DELETE',
      path: '/modules/:name',
      summary: 'Remove the sources of a module that is not configured',
      params: named,
      response: nothing,
      handle: async (request) => {
        await control.moduleUninstall({ name: param(request, 'name') })
        return {}
      },
    },
  ]
}

function ordering(control: Control): ApiRoute {
  return {
    method: 'POST',
    path: '/modules/:name/commands/:command',
    status: 202,
    summary: 'Give an order to a module; the answer comes when it is accepted, not when it is done',
    params: object({ name: moduleName, command: { enum: commands } }, ['name', 'command']),
    body: object({
      fullsync: { type: 'boolean', description: 'prim and second: copy everything again' },
      identity: { type: 'string', minLength: 1, maxLength: 64, description: 'Who asks' },
      cause: { type: 'string', minLength: 1, maxLength: 500, description: 'Why' },
    }),
    response: object({ accepted: { const: true } }, ['accepted']),
    handle: async (request) => {
      await control.moduleCommand({
        name: param(request, 'name'),
        command: param(request, 'command') as OperatorCommand, // The schema allows only these.
        options: bodyOf<CommandOptions>(request),
      })
      return { accepted: true }
    },
  }
}

function running(control: Control): readonly ApiRoute[] {
  return [
    {
      method: 'GET',
      path: '/modules/:name/commands',
      summary: 'What the plugins of a module offer beyond orders',
      params: named,
      response: object({ commands: { type: 'array', items: commandView } }, ['commands']),
      handle: (request) =>
        Promise.resolve({ commands: control.moduleCommands(param(request, 'name')) }),
    },
    {
      method: 'POST',
      path: '/modules/:name/commands/run',
      summary: 'Run a command of a plugin; the answer comes when it has ended',
      answerMs: commandMsMax,
      params: named,
      body: object(
        {
          command: { type: 'string', minLength: 1, maxLength: 100, description: 'Its words' },
          parameters: {
            type: 'object',
            maxProperties: 64,
            additionalProperties: { type: ['string', 'number', 'boolean'] },
            default: {},
          },
        },
        ['command'],
      ),
      response: commandResult,
      handle: (request) => {
        const { command, parameters } = bodyOf<{
          readonly command: string
          readonly parameters: Readonly<Record<string, string | number | boolean>>
        }>(request)
        const order = { name: param(request, 'name'), command, parameters }
        return control.moduleRun(order, request.signal)
      },
    },
  ]
}

function waiting(waits: Waits): ApiRoute {
  return {
    method: 'GET',
    path: '/modules/:name/wait',
    summary: 'Answers when the module reaches one of the states, or when the time is over',
    params: named,
    query: object(
      {
        state: { type: 'string', pattern: roleList, description: 'Separated by commas' },
        sub: { enum: subStates, description: 'Absent: until the state is stable' },
        timeoutMs: { type: 'integer', minimum: 0, maximum: waitMsMax, default: 30_000 },
      },
      ['state'],
    ),
    response: object({ reached: { type: 'boolean' }, state: moduleState }, ['reached']),
    handle: (request) => {
      const { state = '', sub, timeoutMs } = request.query
      return waits.wait(param(request, 'name'), state.split(','), sub, Number(timeoutMs))
    },
  }
}
