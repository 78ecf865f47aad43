/** How a failure looks to a client: one JSON object, and the HTTP status that fits its code. */
import { type ErrorFields, HoldfastError } from '@holdfast/sdk'

export interface ErrorAnswer {
  readonly code: string
  readonly message: string
  readonly hint: string | undefined
  readonly fields: ErrorFields
}

/** An answer as it travels: to a client, or back to the node that forwarded the question. */
export interface Answer {
  readonly status: number
  readonly body: unknown
}

export const apiErrors = {
  input: 'E_API_INPUT_INVALID',
  json: 'E_API_JSON_INVALID',
  bodySize: 'E_API_BODY_TOO_LARGE',
  answerSize: 'E_API_ANSWER_TOO_LARGE',
  route: 'E_API_ROUTE_UNKNOWN',
  routeTwice: 'E_API_ROUTE_DUPLICATE',
  routeForm: 'E_API_ROUTE_INVALID',
  node: 'E_API_NODE_UNKNOWN',
  nodeDown: 'E_API_NODE_UNREACHABLE',
  nodeSilent: 'E_API_NODE_TIMEOUT',
  notForwarded: 'E_API_NOT_FORWARDED',
  busy: 'E_API_BUSY',
  socketPath: 'E_API_SOCKET_PATH',
  socketInUse: 'E_API_SOCKET_IN_USE',
  request: 'E_API_REQUEST_REFUSED',
  internal: 'E_INTERNAL',
} as const

/** From the ending of a code to a status: the first that fits. Codes of plugins we don't know fall to 422. */
const statusOfEnding: readonly (readonly [RegExp, number])[] = [
  [/_TOO_LARGE$/, 413],
  [/^E_API_(INPUT|JSON)_INVALID$/, 400],
  [/_(UNKNOWN|NOT_FOUND|ABSENT)$/, 404],
  [/_(EXISTS|DUPLICATE|CONFLICT|STATE|RUNNING|NOT_STOPPED|IN_USE|NONE)$/, 409],
  [/_TIMEOUT$/, 504],
  [/_(UNREACHABLE|DISCONNECTED|NOT_CONNECTED|LOST|BUSY)$/, 503],
  [/^E_INTERNAL$/, 500],
]

export function statusOf(code: string): number {
  return statusOfEnding.find(([ending]) => ending.test(code))?.[1] ?? 422
}

export function answerOf(error: HoldfastError): Answer {
  const { code, message, hint, fields } = error
  const body: ErrorAnswer = { code, message, hint, fields }
  return { status: statusOf(code), body }
}

/** A bug shows no detail to the client: it is in the log, and text of exceptions may hold secrets. */
export function internalError(): HoldfastError {
  return new HoldfastError(apiErrors.internal, 'the node could not answer because of a defect', {
    hint: 'see `holdfast log -v` on that node, and report it',
  })
}

interface Problem {
  readonly keyword: string
  readonly instancePath: string
  readonly params: Readonly<Record<string, unknown>>
  readonly message?: string | undefined
  /** The value that is wrong. */
  readonly data?: unknown
}

const problemsShownMax = 20

/** One error that lists everything the validation found: where, what, and what is allowed. */
export function inputError(place: string, problems: readonly Problem[]): HoldfastError {
  const shown = problems.slice(0, problemsShownMax).map((problem) => describe(place, problem))
  return new HoldfastError(apiErrors.input, shown.join('; '), {
    hint: 'GET /api/v1/openapi.json describes what each request may hold',
    fields: { place, problems: problems.length },
  })
}

/** Numbers only: a text may be a secret, and errors are logged. */
function shown(value: unknown): string {
  return typeof value === 'number' ? ` is ${String(value)}` : ''
}

function describe(place: string, problem: Problem): string {
  const where = `${place}${problem.instancePath}`
  const { params } = problem
  if (problem.keyword === 'additionalProperties') {
    return `${where}: unknown property "${String(params['additionalProperty'])}"`
  }
  if (problem.keyword === 'required') {
    return `${where}: property "${String(params['missingProperty'])}" is missing`
  }
  if (problem.keyword === 'enum' && Array.isArray(params['allowedValues'])) {
    return `${where}: must be one of ${params['allowedValues'].join(', ')}`
  }
  return `${where}${shown(problem.data)}: ${problem.message ?? 'is not valid'}`
}
