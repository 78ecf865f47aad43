/** Reads the part of a JSON schema that says how XML looks: properties, types, arrays, durations. */
import type { DurationUnit } from '@holdfast/sdk'

export interface ElementSchema {
  readonly type: 'object' | 'array' | 'boolean' | 'integer' | 'number' | 'string'
  readonly properties: ReadonlyMap<string, ElementSchema>
  readonly items: ElementSchema | undefined
  /** `"x-duration": "ms"`: the attribute is a duration, counted in this unit. */
  readonly duration: DurationUnit | undefined
  /** `"x-secret": true`: what was written is never shown. */
  readonly isSecret: boolean
}

const units: readonly DurationUnit[] = ['us', 'ms', 's', 'm', 'h', 'd']
const types = ['object', 'array', 'boolean', 'integer', 'number', 'string'] as const

/** Anything that is not understood here (anyOf, patterns …) is still the validator's to judge. */
export function readSchema(schema: unknown): ElementSchema {
  const entries = entriesOf(schema)
  const properties = new Map<string, ElementSchema>()
  for (const [name, property] of Object.entries(entriesOf(entries['properties']))) {
    properties.set(name, readSchema(property))
  }
  const declared = types.find((type) => type === entries['type'])
  const duration = units.find((unit) => unit === entries['x-duration'])
  return {
    type: declared ?? (properties.size > 0 ? 'object' : 'string'),
    properties,
    items: entries['items'] === undefined ? undefined : readSchema(entries['items']),
    duration,
    isSecret: entries['x-secret'] === true,
  }
}

/** Objects and arrays are written as elements, everything else as attributes. */
export function isElement(schema: ElementSchema): boolean {
  return schema.type === 'object' || schema.type === 'array'
}

export function allowedNames(schema: ElementSchema, kind: 'attribute' | 'element'): string[] {
  return [...schema.properties]
    .filter(([name, property]) => isElement(property) === (kind === 'element') && name !== '$text')
    .map(([name]) => name)
    .sort()
}

function entriesOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}
