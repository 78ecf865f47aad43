/** Routes about the cluster: what it is, forming it, joining it, changing its configuration. */
import type { Control } from '@holdfast/sdk'
import { clusterView, nodeName, object } from '../schemas.js'
import { type ApiRoute, bodyOf, param } from './route.js'

const xml = { type: 'string', minLength: 1, description: 'The text of a cluster.xml' }
const dayMs = 86_400_000

export function clusterRoutes(control: Control): readonly ApiRoute[] {
  return [...reading(control), ...forming(control)]
}

function reading(control: Control): readonly ApiRoute[] {
  return [
    {
      method: 'GET',
      path: '/cluster',
      summary: 'The cluster, its nodes and the state of their networks',
      response: clusterView,
      handle: () => Promise.resolve(control.cluster()),
    },
    {
      method: 'GET',
      path: '/cluster/xml',
      summary: 'The applied cluster.xml',
      response: object({ xml }, ['xml']),
      handle: () => Promise.resolve({ xml: control.clusterXml() }),
    },
  ]
}

function forming(control: Control): readonly ApiRoute[] {
  return [
    {
      method: 'POST',
      path: '/cluster/init',
      summary: 'Make this node the first one of a new cluster',
      body: object({ xml, node: nodeName }, ['xml', 'node']),
      response: clusterView,
      handle: (request) => control.clusterInit(bodyOf(request)),
    },
    {
      method: 'POST',
      path: '/cluster/invite',
      summary: 'A one-time token with which one node joins',
      body: object(
        { node: nodeName, ttlMs: { type: 'integer', minimum: 10_000, maximum: dayMs } },
        ['node', 'ttlMs'],
      ),
      response: object({ token: { type: 'string' }, expiresMs: { type: 'number' } }, [
        'token',
        'expiresMs',
      ]),
      handle: (request) => control.clusterInvite(bodyOf(request)),
    },
    {
      method: 'POST',
      path: '/cluster/join',
      summary: 'Join the cluster that the token comes from',
      body: object({ token: { type: 'string', minLength: 1, maxLength: 8192 } }, ['token']),
      response: clusterView,
      handle: (request) => control.clusterJoin(bodyOf(request)),
    },
    {
      method: 'PUT',
      path: '/cluster/config',
      summary: 'Apply a cluster.xml on all nodes, or on none',
      body: object({ xml }, ['xml']),
      response: clusterView,
      handle: (request) => control.clusterConfig(bodyOf(request)),
    },
    {
      method: 'DELETE',
      path: '/cluster/nodes/:node',
      summary: 'Remove a node from the cluster.xml of all others',
      params: object({ node: nodeName }, ['node']),
      response: clusterView,
      handle: (request) => control.clusterRemove({ node: param(request, 'node') }),
    },
  ]
}
