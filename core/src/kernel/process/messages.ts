/** What host and child process say to each other: one JSON object a line, in both directions (docs/PLUGINS.md). Pure. */
import {
  type CheckerPhase,
  HoldfastError,
  type LogLevel,
  type Role,
  type RuleAction,
  type Transition,
} from '@holdfast/sdk'
import { compileSchema, type SchemaCheck } from '../../schema/validate.js'

export const protocolVersion = 1
export const lineBytesMax = 64 * 1024

export type ToChild =
  | {
      readonly kind: 'start'
      readonly protocol: typeof protocolVersion
      readonly plugin: string
      readonly version: string
      readonly module: {
        readonly name: string
        readonly id: number
        readonly node: string
        readonly nodes: readonly string[]
      }
      readonly config: unknown
    }
  | { readonly kind: 'watch' | 'unwatch'; readonly checker: string }
  | {
      readonly kind: 'enter' | 'leave'
      readonly call: number
      readonly resource: string
      readonly transition: Transition
    }
  | {
      readonly kind: 'adopt'
      readonly call: number
      readonly resource: string
      readonly role: Role
      readonly generation: string
    }
  /** Nobody waits for this call any more; it still has to be answered. */
  | { readonly kind: 'cancel'; readonly call: number }
  | { readonly kind: 'stop' }

export interface OfferedChecker {
  readonly name: string
  readonly when: CheckerPhase
  readonly rule?: { readonly label: string; readonly action: RuleAction }
}

export interface OfferedResource {
  readonly id: string
  readonly order: number
}

export type FromChild =
  | {
      readonly kind: 'ready'
      readonly protocol: typeof protocolVersion
      readonly checkers: readonly OfferedChecker[]
      readonly resources: readonly OfferedResource[]
    }
  | {
      readonly kind: 'value'
      readonly checker: string
      readonly value: 'up' | 'down' | 'unknown'
      readonly cause: string
    }
  | { readonly kind: 'done'; readonly call: number }
  | { readonly kind: 'failed'; readonly call: number; readonly reason: string }
  | {
      readonly kind: 'log'
      readonly level: Exclude<LogLevel, 'critical'>
      readonly event: string
      readonly fields: Readonly<Record<string, unknown>>
    }

const text = (maxLength: number): object => ({ type: 'string', minLength: 1, maxLength })
const call = { type: 'integer', minimum: 1 }
const name = { type: 'string', pattern: '^[a-z][a-z0-9_-]{0,31}(\\.[A-Za-z0-9_-]{1,64})?$' }

function message(properties: object, optional: object = {}): object {
  return {
    type: 'object',
    additionalProperties: false,
    required: Object.keys(properties),
    properties: { ...properties, ...optional },
  }
}

const schema = {
  oneOf: [
    message({
      kind: { const: 'ready' },
      protocol: { const: protocolVersion },
      checkers: {
        type: 'array',
        maxItems: 64,
        items: message(
          { name, when: { enum: ['pre', 'prim', 'second', 'both'] } },
          {
            rule: message({
              label: text(64),
              action: { enum: ['restart', 'stopstart', 'stop', 'wait', 'swap'] },
            }),
          },
        ),
      },
      resources: {
        type: 'array',
        maxItems: 8,
        items: message({ id: name, order: { type: 'integer', minimum: 1, maximum: 999 } }),
      },
    }),
    message({
      kind: { const: 'value' },
      checker: name,
      value: { enum: ['up', 'down', 'unknown'] },
      cause: text(500),
    }),
    message({ kind: { const: 'done' }, call }),
    message({ kind: { const: 'failed' }, call, reason: text(500) }),
    message({
      kind: { const: 'log' },
      level: { enum: ['event', 'warning', 'info', 'debug'] },
      event: { type: 'string', pattern: '^[a-z][A-Za-z0-9]{0,63}$' },
      fields: { type: 'object', maxProperties: 32 },
    }),
  ],
}

let check: SchemaCheck | undefined

/** Throws `E_PLUGIN_PROTOCOL` for anything that is not a message of ours. */
export function parseLine(line: string): FromChild {
  check ??= compileSchema(schema)
  const value = jsonOf(line)
  const [problem] = check(value)
  if (problem !== undefined) {
    throw malformed(`${line.slice(0, 100)}: ${problem.pointer} ${problem.message}`)
  }
  return value as FromChild // The schema above is this type.
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch (thrown) {
    if (thrown instanceof SyntaxError) throw malformed(line.slice(0, 100))
    throw thrown
  }
}

function malformed(what: string): HoldfastError {
  return new HoldfastError('E_PLUGIN_PROTOCOL', `it wrote a line that is no message: ${what}`)
}
