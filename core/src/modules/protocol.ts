/**
 * What the nodes say to each other about modules: identities, and orders that happen on all nodes or on none.
 * Only members of the cluster can send these, but an older or newer one may: everything is checked on arrival.
 */
import { HoldfastError } from '@holdfast/sdk'
import { compileSchema, type SchemaCheck } from '../schema/validate.js'
import type { Way } from './rollout/types.js'

export const partBytes = 512 * 1024
export const partsMax = 128
export const questionTimeoutMs = 15_000
/** Longer than the checks of all plugins of a module may take, or their start. */
export const prepareTimeoutMs = 60_000
export const decisionTimeoutMs = 60_000

/** What shall happen to a module on each of `nodes`. */
export interface ModuleOrder {
  readonly kind: 'config' | 'deconfig' | 'uninstall'
  readonly name: string
  readonly id: number
  /** Sorted. */
  readonly nodes: readonly string[]
  /** Of the package; empty when the order carries none. */
  readonly digest: string
  /** The configuration's name in findings: the file that the operator edits. */
  readonly file: string
  /** The versions that the module uses from now on: plugin id → version. A plugin that is not named: the newest. */
  readonly plugins?: Readonly<Record<string, string>>
  /** Part of a rollout: the other nodes of the module may have another configuration for a while, and run. */
  readonly rollout?: OrderOfRollout
}

export interface OrderOfRollout {
  readonly id: string
  /** The node that leads it; the sources come from there. */
  readonly leader: string
  readonly way: Way
}

export type Question =
  | { readonly kind: 'identities' }
  | { readonly kind: 'reserve'; readonly name: string; readonly id: number }
  | { readonly kind: 'release'; readonly name: string }
  | {
      readonly kind: 'part'
      readonly transaction: string
      readonly index: number
      readonly count: number
      readonly data: string
    }
  | { readonly kind: 'prepare'; readonly transaction: string; readonly order: ModuleOrder }
  | { readonly kind: 'commit'; readonly transaction: string }
  | { readonly kind: 'abort'; readonly transaction: string }
  | { readonly kind: 'outcome'; readonly transaction: string }
  | { readonly kind: 'standing'; readonly name: string }
  | { readonly kind: 'command'; readonly name: string; readonly command: RolloutCommand }

/** `stopIdle`: refused by a node that serves meanwhile. */
export type RolloutCommand = 'start' | 'stop' | 'stopIdle' | 'swap'

export type Outcome = 'committed' | 'aborted' | 'pending'

/** Findings empty: prepared, and the node does what is decided, whatever happens to it meanwhile. */
export interface Prepared {
  readonly findings: readonly string[]
  readonly warnings: readonly string[]
}

const name = { type: 'string', pattern: '^[a-z][a-z0-9_-]{0,31}$' }
const id = { type: 'integer', minimum: 1, maximum: 64 }
const transaction = { type: 'string', pattern: '^[a-z0-9-]{1,100}$' }
const strings = { type: 'array', maxItems: 1_000, items: { type: 'string' } }
const object = (properties: object): object => ({
  type: 'object',
  required: Object.keys(properties),
  properties,
})

const bound = {
  type: 'object',
  maxProperties: 256,
  additionalProperties: { type: 'string', maxLength: 64 },
}

const orderProperties = {
  kind: { enum: ['config', 'deconfig', 'uninstall'] },
  name,
  id,
  nodes: { ...strings, minItems: 1, maxItems: 16 },
  digest: { type: 'string', pattern: '^[0-9a-f]{0,64}$' },
  file: { type: 'string', maxLength: 4_096 },
}

export const orderSchema = {
  type: 'object',
  required: Object.keys(orderProperties),
  properties: {
    ...orderProperties,
    plugins: bound,
    rollout: object({
      id: { type: 'string', pattern: '^[0-9a-f]{16}$' },
      leader: { type: 'string', maxLength: 253 },
      way: { enum: ['beside', 'rolling', 'stop'] },
    }),
  },
}

const questionSchema = {
  oneOf: [
    object({ kind: { const: 'identities' } }),
    object({ kind: { const: 'reserve' }, name, id }),
    object({ kind: { const: 'release' }, name }),
    object({
      kind: { const: 'part' },
      transaction,
      index: { type: 'integer', minimum: 0, maximum: partsMax - 1 },
      count: { type: 'integer', minimum: 1, maximum: partsMax },
      data: { type: 'string', maxLength: 1024 * 1024 },
    }),
    object({ kind: { const: 'prepare' }, transaction, order: orderSchema }),
    object({ kind: { const: 'commit' }, transaction }),
    object({ kind: { const: 'abort' }, transaction }),
    object({ kind: { const: 'outcome' }, transaction }),
    object({ kind: { const: 'standing' }, name }),
    object({
      kind: { const: 'command' },
      name,
      command: { enum: ['start', 'stop', 'stopIdle', 'swap'] },
    }),
  ],
}

const preparedSchema = object({ findings: strings, warnings: strings })

const checks = new Map<object, SchemaCheck>()

/** Throws `E_PROTOCOL` when the value is not of the schema: the other node speaks another language. */
export function assertShape(schema: object, value: unknown, what: string): void {
  const check = checks.get(schema) ?? compileSchema(schema)
  checks.set(schema, check)
  const [problem] = check(value)
  if (problem === undefined) return
  throw new HoldfastError(
    'E_PROTOCOL',
    `${what} is malformed: ${problem.pointer} ${problem.message}`,
    {
      hint: 'install the same version of Holdfast on all nodes',
    },
  )
}

export function questionOf(message: unknown): Question {
  assertShape(questionSchema, message, 'a question about modules')
  return message as Question // The schema above is this type.
}

export function preparedOf(answer: unknown): Prepared {
  assertShape(preparedSchema, answer, 'the answer to a prepared order')
  return answer as Prepared // The schema above is this type.
}
