/** The one door to ajv: compiles a JSON schema and tells what is wrong as data, not as text. */
import { Ajv, type ErrorObject, type Options, type ValidateFunction } from 'ajv'
import addFormatsModule from 'ajv-formats'
import { cronProblem } from './cron.js'

export interface SchemaProblem {
  /** JSON pointer of the value that is wrong, or in which something is missing or too much. */
  readonly pointer: string
  /** The keyword of the schema that refused it: `required`, `enum`, `minimum` … */
  readonly keyword: string
  /** The property that is missing (`required`) or not allowed (`additionalProperties`). */
  readonly property: string | undefined
  /** What is wrong and what is allowed, without the place. */
  readonly message: string
}

/** Checks a value and fills in defaults in place. An empty list means that it is valid. */
export type SchemaCheck = (value: unknown) => readonly SchemaProblem[]

// Published as CommonJS: under NodeNext the function sits in `default`.
const addFormats = addFormatsModule.default

const options: Options = {
  allErrors: true,
  useDefaults: true,
  coerceTypes: false,
  removeAdditional: false,
  strict: true,
  strictRequired: false,
  strictTypes: false,
  strictTuples: false,
  allowUnionTypes: true,
  ownProperties: true,
  // A format of ours tells what is wrong with the value.
  verbose: true,
  logger: false,
  // By the instance below: each one would compile the schema of schemas again, which takes longer than all the rest.
  validateSchema: false,
  meta: false,
}

let ofSchemas: Ajv | undefined

/** Throws (a bug or a broken plugin) when the schema itself is malformed. */
export function compileSchema(schema: object): SchemaCheck {
  ofSchemas ??= new Ajv({ logger: false })
  if (ofSchemas.validateSchema(schema) !== true) {
    throw new Error(`schema is invalid: ${ofSchemas.errorsText()}`)
  }
  // One instance a schema: no schema can see or break another one's `$id`.
  const ajv = new Ajv(options)
  addFormats(ajv, { mode: 'full' })
  ajv.addFormat('cron', (text: string) => cronProblem(text) === undefined)
  ajv.addVocabulary(['x-duration', 'x-secret', 'x-unit', 'x-example', 'x-shared'])
  const validate: ValidateFunction = ajv.compile(schema)
  return (value) => (validate(value) ? [] : (validate.errors ?? []).map(problemOf))
}

function problemOf(error: ErrorObject): SchemaProblem {
  const { keyword, instancePath: pointer } = error
  const parameter = (name: string): string => textOf(Object.entries(error.params), name)
  switch (keyword) {
    case 'required': {
      const property = parameter('missingProperty')
      return { pointer, keyword, property, message: `"${property}" is missing` }
    }
    case 'additionalProperties': {
      const property = parameter('additionalProperty')
      return { pointer, keyword, property, message: `"${property}" is not known here` }
    }
    case 'enum':
    case 'const': {
      const allowed = parameter(keyword === 'enum' ? 'allowedValues' : 'allowedValue')
      return { pointer, keyword, property: undefined, message: `allowed: ${allowed}` }
    }
    case 'format': {
      const problem = parameter('format') === 'cron' ? cronProblem(String(error.data)) : undefined
      return { pointer, keyword, property: undefined, message: problem ?? messageOf(error) }
    }
    default:
      return { pointer, keyword, property: undefined, message: messageOf(error) }
  }
}

function messageOf({ message, keyword }: ErrorObject): string {
  return message ?? keyword
}

function textOf(entries: readonly [string, unknown][], name: string): string {
  const value = entries.find(([key]) => key === name)?.[1]
  return Array.isArray(value) ? value.map(String).join(', ') : String(value)
}
