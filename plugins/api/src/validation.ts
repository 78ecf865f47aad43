/** Checks requests against their schemas with ajv. */
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'

export interface Checked {
  readonly value?: unknown
  readonly problems?: readonly ErrorObject[]
}

export type Check = (value: unknown) => Checked

/**
 * Two validators: what arrives in the address is text, and becomes a number or a boolean where the schema
 * says so; what arrives as JSON has types already, and `"5"` is not a number there.
 */
export class Schemas {
  readonly #json = new Ajv({ ...options, coerceTypes: false })
  readonly #address = new Ajv({ ...options, coerceTypes: true })

  compile(schema: object, part: 'body' | 'address'): Check {
    // At the first request: most routes are not asked between two starts, and all of them take a quarter of a start.
    let validate: ValidateFunction | undefined
    return (value) => {
      validate ??= (part === 'body' ? this.#json : this.#address).compile(schema)
      return validate(value) ? { value } : { problems: validate.errors ?? [] }
    }
  }
}

const options = {
  allErrors: true,
  // Errors hold the value that is wrong.
  verbose: true,
  removeAdditional: false,
  useDefaults: true,
  strict: true,
  strictTypes: false,
  strictRequired: false,
  validateFormats: false,
} as const
