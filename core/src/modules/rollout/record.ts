/** The shape of a rollout on disk. */
import { orderSchema } from '../protocol.js'

const texts = { type: 'array', maxItems: 64, items: { type: 'string' } }
const text = { type: 'string' }
const step = {
  type: 'object',
  required: ['what', 'nodes'],
  properties: { what: { enum: ['stop', 'apply', 'start', 'swap'] }, nodes: texts },
}

export const rolloutSchema = {
  type: 'object',
  required: ['id', 'way', 'order', 'from', 'to', 'started', 'taken', 'warnings'],
  properties: {
    id: text,
    way: { enum: ['beside', 'rolling', 'stop'] },
    order: orderSchema,
    from: text,
    to: text,
    started: texts,
    lead: text,
    taken: { type: 'array', maxItems: 256, items: step },
    doing: step,
    abandoned: text,
    end: { type: 'object', required: ['kind'] },
    previous: orderSchema,
    returning: text,
    warnings: texts,
  },
}
