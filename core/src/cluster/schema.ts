/** What cluster.xml may contain, as JSON schema: `<cluster><lans><lan><node/></lan></lans></cluster>`. */

export const nodesMax = 16
export const lansMax = 8

const name = { type: 'string', pattern: '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$' }
const address = { type: 'string', minLength: 1, maxLength: 255 }

const node = {
  type: 'object',
  additionalProperties: false,
  required: ['name', 'addr'],
  properties: {
    name: { ...name, description: 'name of the node, the same on every LAN: a-z, 0-9 and -' },
    addr: {
      ...address,
      description: 'address that the other nodes use: IPv4, IPv6 (also in brackets) or DNS name',
    },
    laddr: {
      ...address,
      description: 'address to bind on the node itself, when NAT is in between',
    },
  },
}

const lan = {
  type: 'object',
  additionalProperties: false,
  required: ['name', 'node'],
  properties: {
    name: { ...name, description: 'name of the LAN, as modules refer to it: a-z, 0-9 and -' },
    node: { type: 'array', minItems: 1, maxItems: nodesMax, items: node },
  },
}

export const clusterSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['lans'],
  properties: {
    lans: {
      type: 'object',
      additionalProperties: false,
      required: ['lan'],
      properties: {
        port: {
          ...{ type: 'integer', minimum: 1, maximum: 65535, default: 4800 },
          description: 'UDP port of the heartbeats and TCP port of the connections between nodes',
        },
        pulse: {
          ...{ type: 'integer', 'x-duration': 'ms', minimum: 20, maximum: 5000, default: 250 },
          description: 'period of the heartbeats',
        },
        lan: {
          ...{ type: 'array', minItems: 1, maxItems: lansMax, items: lan },
          description: 'in order of preference; at least one of them lists all nodes',
        },
      },
    },
  },
} as const
