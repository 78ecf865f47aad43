/** Routes about packages of modules: what one is, moving a module to another version, going back. */
import type { Control, PackageSource } from '@holdfast/sdk'
import { moduleName, nothing, object } from '../schemas.js'
import { type ApiRoute, bodyOf, param } from './route.js'

const text = { type: 'string' }
const texts = { type: 'array', items: text }
const named = object({ name: moduleName }, ['name'])
const path = { type: 'string', pattern: '^/', maxLength: 4096, description: 'Absolute' }

/** What an installation and an upgrade are given. */
export const packageSource = {
  path,
  parameters: {
    type: 'object',
    maxProperties: 200,
    additionalProperties: { type: 'string', maxLength: 10_000 },
    description: 'Values of macros of its configuration',
  },
  from: { type: 'string', minLength: 1, maxLength: 1_000, description: 'Where the file came from' },
  vouched: {
    ...{ type: 'string', minLength: 1, maxLength: 200 },
    description: 'Who answers for an archive that nobody signed',
  },
}

const packageView = object(
  {
    ...{ id: text, version: text, title: text, description: text, platforms: texts },
    requires: { type: 'object', additionalProperties: text },
    parameters: {
      type: 'array',
      items: object(
        {
          ...{ name: text, type: text, title: text, description: text, value: text },
          required: { type: 'boolean' },
          choices: { ...texts, description: 'Absent: anything that its schema allows' },
        },
        ['name', 'type', 'required', 'value'],
      ),
    },
    files: texts,
    from: { ...text, description: 'Where an installed module came from' },
    signedBy: { ...text, description: 'Absent: nobody whom this node trusts' },
    vouched: { ...text, description: 'Who answered for an archive that nobody signed' },
    changed: { ...texts, description: 'Files changed by hand since the installation' },
    notes: texts,
  },
  ['id', 'version', 'title', 'platforms', 'requires', 'parameters', 'files', 'changed', 'notes'],
)

const upgradeReport = object(
  {
    ...{ from: text, to: text, taken: texts, notes: texts },
    conflicts: { ...texts, description: 'Changed by hand and by the package: yours stay' },
  },
  ['from', 'to', 'taken', 'conflicts', 'notes'],
)

export function packageRoutes(control: Control): readonly ApiRoute[] {
  return [
    {
      method: 'GET',
      path: '/modules/:name/package',
      summary: 'The package of an installed module, with the values of its parameters',
      params: named,
      response: packageView,
      handle: (request) => control.modulePackage(param(request, 'name')),
    },
    {
      method: 'POST',
      path: '/modules/:name/upgrade',
      summary: 'Merge another version into the sources; what was changed by hand stays',
      params: named,
      body: object(packageSource, ['path']),
      response: upgradeReport,
      handle: (request) =>
        control.moduleUpgrade({ ...bodyOf<PackageSource>(request), name: param(request, 'name') }),
    },
    {
      method: 'POST',
      path: '/modules/:name/rollback',
      summary: 'Take the sources back to what they were before the last upgrade',
      params: named,
      body: nothing,
      response: upgradeReport,
      handle: (request) => control.moduleRollback({ name: param(request, 'name') }),
    },
    {
      method: 'POST',
      path: '/packages/inspect',
      summary: 'What an archive or a directory of this node is; changes nothing',
      body: object(
        {
          ...{ path, parameters: packageSource.parameters },
          install: {
            ...moduleName,
            description: 'Refuse what its installation under this name would',
          },
          upgrade: { ...moduleName, description: 'Refuse what the upgrade of this module would' },
        },
        ['path'],
      ),
      response: packageView,
      handle: (request) => control.packageInspect(bodyOf(request)),
    },
  ]
}
