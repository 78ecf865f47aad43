/** Routes about plugins and the keys that the operator trusts. */
import type { Control, PluginArchive } from '@holdfast/sdk'
import { nothing, object, pluginView, pluginsReport, trustedKey } from '../schemas.js'
import { type ApiRoute, bodyOf, param } from './route.js'

const id = { type: 'string', pattern: '^[a-z][a-z0-9]*(-[a-z0-9]+)*$', maxLength: 64 }
const version = { type: 'string', pattern: '^[0-9A-Za-z.+-]+$', maxLength: 64 }
const archive = {
  data: { type: 'string', minLength: 1, description: 'The bytes of the archive, in base64' },
  path: { type: 'string', pattern: '^/', maxLength: 4096, description: 'A file on this node' },
}
const oneOf = [{ required: ['data'] }, { required: ['path'] }]
const capabilities = {
  type: 'array',
  maxItems: 64,
  items: { type: 'string', maxLength: 256 },
  default: [],
  description: 'What the operator has seen and allows',
}
const keyName = {
  type: 'string',
  minLength: 1,
  maxLength: 64,
  description: 'Name of a key, or its id',
}

export function pluginRoutes(control: Control): readonly ApiRoute[] {
  return [...reading(control), ...changing(control), ...trusting(control)]
}

function reading(control: Control): readonly ApiRoute[] {
  return [
    {
      method: 'GET',
      path: '/plugins',
      summary: 'All plugins of this node, each version',
      response: object({ plugins: { type: 'array', items: pluginView } }, ['plugins']),
      handle: async () => ({ plugins: await control.plugins() }),
    },
    {
      method: 'GET',
      path: '/plugins-report',
      summary: 'Which plugins are active in which order, and why others are not',
      response: pluginsReport,
      handle: () => control.pluginDoctor(),
    },
    {
      method: 'POST',
      path: '/plugins/inspect',
      summary: 'What an archive is, before it is installed',
      body: { ...object(archive), oneOf },
      response: pluginView,
      handle: (request) => control.pluginInspect(bodyOf<PluginArchive>(request)),
    },
  ]
}

function changing(control: Control): readonly ApiRoute[] {
  return [
    {
      method: 'POST',
      path: '/plugins',
      status: 201,
      summary: 'Install a plugin on this node; no module uses it before it is configured so',
      body: { ...object({ ...archive, capabilities }), oneOf },
      response: pluginView,
      handle: (request) => {
        const { capabilities: seen, ...rest } = bodyOf<
          PluginArchive & { readonly capabilities: readonly string[] }
        >(request)
        return control.pluginInstall(rest, seen)
      },
    },
    {
      method: 'DELETE',
      path: '/plugins/:id/:version',
      summary: 'Remove a version that no module uses',
      params: object({ id, version }, ['id', 'version']),
      response: nothing,
      handle: async (request) => {
        await control.pluginRemove({ id: param(request, 'id'), version: param(request, 'version') })
        return {}
      },
    },
    {
      method: 'PUT',
      path: '/plugins/:id/enabled',
      summary: 'Let modules use a plugin, or not',
      params: object({ id }, ['id']),
      body: object({ enabled: { type: 'boolean' } }, ['enabled']),
      response: nothing,
      handle: async (request) => {
        const { enabled } = bodyOf<{ readonly enabled: boolean }>(request)
        await control.pluginEnable({ id: param(request, 'id'), enabled })
        return {}
      },
    },
  ]
}

function trusting(control: Control): readonly ApiRoute[] {
  return [
    {
      method: 'GET',
      path: '/trust',
      summary: 'The keys that the operator of this node trusts',
      response: object({ keys: { type: 'array', items: trustedKey } }, ['keys']),
      handle: async () => ({ keys: await control.trusted() }),
    },
    {
      method: 'POST',
      path: '/trust',
      status: 201,
      summary: 'Trust an ed25519 key: what it signed may run inside holdfastd',
      body: object({ name: keyName, pem: { type: 'string', minLength: 1, maxLength: 4096 } }, [
        'name',
        'pem',
      ]),
      response: trustedKey,
      handle: (request) => control.trustAdd(bodyOf(request)),
    },
    {
      method: 'DELETE',
      path: '/trust/:name',
      summary: 'Trust a key no longer; plugins that it signed are refused from the next start on',
      params: object({ name: keyName }, ['name']),
      response: trustedKey,
      handle: (request) => control.trustRemove({ name: param(request, 'name') }),
    },
  ]
}
