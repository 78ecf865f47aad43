/** Checks what came from the peer's daemon before the machine sees it: a newer or broken peer must not bring this one down. */
import type { Message } from '../decide/types.js'

type Shape = Readonly<Record<string, (value: unknown) => boolean>>

const isEpoch = (value: unknown): boolean => Number.isSafeInteger(value)
const isFlag = (value: unknown): boolean => typeof value === 'boolean'
const isText = (value: unknown): boolean => typeof value === 'string' && value.length <= 4_096

const isGeneration = (value: unknown): boolean =>
  hasShape(value, { number: isEpoch, owner: isText, mark: isEpoch })
const isHistory = (value: unknown): boolean =>
  Array.isArray(value) && value.length <= 256 && value.every(isGeneration)
const isLineage = (value: unknown): boolean =>
  hasShape(value, { generation: isGeneration, history: isHistory })
const oneOf =
  (...allowed: readonly string[]) =>
  (value: unknown): boolean =>
    typeof value === 'string' && allowed.includes(value)
const isMemory = (value: unknown): boolean =>
  isLineage(value) &&
  hasShape(value, {
    data: oneOf('none', 'current', 'stale', 'partial'),
    paired: isFlag,
    wasPrim: isFlag,
  })
const isView = (value: unknown): boolean =>
  hasShape(value, {
    role: oneOf('stop', 'wait', 'alone', 'prim', 'second', 'demoting'),
    ready: isFlag,
    held: isFlag,
    memory: isMemory,
  })

const shapes: Readonly<Record<Message['kind'], Shape>> = {
  view: { view: isView, asks: isFlag },
  lead: { epoch: isEpoch, forced: isFlag, view: isView },
  agreed: { epoch: isEpoch },
  disagreed: { epoch: isEpoch, reason: isText },
  outdate: { epoch: isEpoch, generation: isGeneration },
  outdated: { epoch: isEpoch },
  join: { epoch: isEpoch, full: isFlag, view: isView },
  admitted: { epoch: isEpoch },
  synced: { epoch: isEpoch, lineage: isLineage },
  swap: {},
}

/** The message, or undefined when it is none of ours. Unknown extra fields of a newer minor are let through. */
export function parseMessage(body: unknown): Message | undefined {
  if (typeof body !== 'object' || body === null || !('kind' in body)) return undefined
  const { kind } = body
  if (typeof kind !== 'string' || !Object.hasOwn(shapes, kind)) return undefined
  // The kind is one of the table's own keys, and every field that the type names was checked.
  return hasShape(body, shapes[kind as Message['kind']]) ? (body as Message) : undefined
}

function hasShape(value: unknown, shape: Shape): boolean {
  if (typeof value !== 'object' || value === null) return false
  const fields = new Map<string, unknown>(Object.entries(value))
  return Object.entries(shape).every(([name, holds]) => holds(fields.get(name)))
}
