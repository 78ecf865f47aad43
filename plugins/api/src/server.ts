/** The HTTP server: mounts routes, validates what comes in, turns failures into answers. The only file that knows fastify. */
import swagger from '@fastify/swagger'
import { HoldfastError, type Log, messageOf, type RouteRequest } from '@holdfast/sdk'
import Fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify'
import type { Answered, Audit } from './audit.js'
import { type Answer, answerOf, apiErrors, inputError, internalError } from './errors.js'
import type { EventStreams } from './events.js'
import type { ForwardedRequest, Forwarder, Method } from './forward.js'
import type { ApiRoute } from './routes/route.js'
import { errorAnswer, moduleName, nodeName, object } from './schemas.js'
import { Schemas } from './validation.js'

export const prefix = '/api/v1'
const bodyBytesMax = 1 << 20
const connectionsMax = 512
/** Set on requests that another node forwarded: its name. */
const fromHeader = 'x-holdfast-from'

const routeForm = /^(\/:?[a-z][A-Za-z0-9-]*)+$/

export interface ServerParts {
  readonly version: string
  readonly routes: readonly ApiRoute[]
  readonly events: EventStreams
  readonly forwarder: Forwarder
  readonly audit: Audit
  readonly log: Log
}

/** Ready to listen. Throws HoldfastError when two routes are the same or one is malformed. */
export async function createServer(parts: ServerParts): Promise<FastifyInstance> {
  const app = Fastify({
    logger: false,
    bodyLimit: bodyBytesMax,
    requestTimeout: 30_000,
    keepAliveTimeout: 5_000,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
    routerOptions: { maxParamLength: 128, ignoreTrailingSlash: false, caseSensitive: true },
  })
  app.server.maxConnections = connectionsMax
  setValidation(app)
  setErrors(app, parts.log)
  await app.register(swagger, { openapi: documentHead(parts.version) })
  app.addHook('preValidation', (request, reply) => forwardOrPrepare(request, reply, parts))
  app.addHook('onResponse', (request, reply, done) => {
    if (request.method !== 'GET') parts.audit.note(answeredBy(request, reply))
    done()
  })
  for (const route of parts.routes) mount(app, route)
  mountEvents(app, parts.events)
  app.get(`${prefix}/openapi.json`, { schema: { hide: true, querystring: withNode() } }, () =>
    app.swagger(),
  )
  await app.ready()
  return app
}

/** Answers a request of another node without a connection. */
export async function inject(
  app: FastifyInstance,
  request: ForwardedRequest,
  from: string,
): Promise<Answer> {
  const { method, url, body } = request
  const response = await app.inject({
    method,
    url,
    headers: {
      [fromHeader]: from,
      ...(body == null ? {} : { 'content-type': 'application/json' }),
    },
    ...(body == null ? {} : { payload: JSON.stringify(body) }),
  })
  return { status: response.statusCode, body: response.json<unknown>() }
}

function mount(app: FastifyInstance, route: ApiRoute): void {
  const { method, path, summary, params, query, body, response, status = 200 } = route
  if (!routeForm.test(path)) {
    throw new HoldfastError(apiErrors.routeForm, `a route has the malformed path "${path}"`, {
      hint: 'a path looks like /things/:name',
    })
  }
  const url = `${prefix}${path}`
  if (app.hasRoute({ method, url })) {
    throw new HoldfastError(apiErrors.routeTwice, `two plugins have the route ${method} ${path}`)
  }
  app.route({
    method,
    url,
    config: { answerMs: route.answerMs ?? 0 },
    schema: {
      summary,
      querystring: withNode(query),
      ...(params === undefined ? {} : { params }),
      ...(body === undefined ? {} : { body }),
      response: { [status]: response, default: errorAnswer },
    },
    handler: async (request, reply) => {
      const answer = await route.handle(routeRequest(request, reply))
      return reply.code(status).send(answer)
    },
  })
}

function mountEvents(app: FastifyInstance, events: EventStreams): void {
  const query = object({
    module: moduleName,
    verbose: { type: 'boolean', default: false },
    afterSequence: { type: 'integer', minimum: 0, description: 'Like the header Last-Event-ID' },
  })
  const schema = {
    summary: 'States and log entries as they happen (server-sent events)',
    querystring: withNode(query),
    response: { 200: { type: 'string' }, default: errorAnswer },
  }
  app.get(`${prefix}/events`, { schema }, (request, reply) => {
    events.refuseWhenFull()
    const { query } = routeRequest(request, reply)
    const last = request.headers['last-event-id'] ?? query['afterSequence']
    const afterSequence =
      typeof last === 'string' && /^\d{1,15}$/.test(last) ? Number(last) : undefined
    reply.hijack()
    events.connect(reply.raw, {
      module: query['module'],
      verbose: query['verbose'] === 'true',
      afterSequence,
    })
  })
}

/** Every route can be asked of another node. */
function withNode(query: object = object({})): object {
  const properties = 'properties' in query ? query.properties : {}
  const node = { ...nodeName, description: 'Ask this node instead; also as header x-holdfast-node' }
  return { ...query, properties: { ...(properties as object), node } } // A JSON schema has an object there.
}

function routeRequest(request: FastifyRequest, reply: FastifyReply): RouteRequest {
  const gone = new AbortController()
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort()
  })
  const { body, params, query } = request
  return { params: texts(params), query: texts(query), body, signal: gone.signal }
}

/** Defaults and conversions of the validation made numbers of some; routes receive what an address holds: text. */
function texts(values: unknown): Readonly<Record<string, string>> {
  const entries = Object.entries(values ?? {}).map(
    ([name, value]) => [name, String(value)] as const,
  )
  return Object.fromEntries(entries)
}

async function forwardOrPrepare(
  request: FastifyRequest,
  reply: FastifyReply,
  parts: ServerParts,
): Promise<void> {
  if (request.is404) return
  const node = targetNode(request)
  if (node !== undefined && !parts.forwarder.isSelf(node)) {
    await forward(request, reply, node, parts)
    return
  }
  // Orders without options are common: an absent body is the empty one, and the schema decides.
  if (request.body === undefined && request.routeOptions.schema?.body !== undefined)
    request.body = {}
}

/** Removes `node` from the query, so that the answering node does not forward again. */
function targetNode(request: FastifyRequest): string | undefined {
  const query = request.query as Record<string, unknown> // Fastify's parser makes a plain object.
  const node = query['node'] ?? request.headers['x-holdfast-node']
  if (node === undefined || request.headers[fromHeader] !== undefined) return undefined
  if (typeof node === 'string' && new RegExp(nodeName.pattern).test(node)) return node
  throw new HoldfastError(apiErrors.input, 'query/node: must be one name of a node')
}

async function forward(
  request: FastifyRequest,
  reply: FastifyReply,
  node: string,
  parts: ServerParts,
): Promise<void> {
  const address = new URL(request.url, 'http://node')
  address.searchParams.delete('node')
  if (address.pathname === `${prefix}/events`) {
    throw new HoldfastError(
      apiErrors.notForwarded,
      'an event stream is not forwarded to other nodes',
      {
        hint: 'poll GET /log?node=…&afterSequence=… and GET /modules?node=…, or connect on that node',
      },
    )
  }
  const answer = await parts.forwarder.ask(
    node,
    {
      version: 1,
      method: request.method as Method, // Only these four are routed.
      url: `${address.pathname}${address.search}`,
      body: request.body,
    },
    Math.max(Number(address.searchParams.get('timeoutMs') ?? 0) || 0, answerMsOf(request)),
  )
  await reply.code(answer.status).send(answer.body)
}

/** How much longer than others its route may take to answer. */
function answerMsOf(request: FastifyRequest): number {
  const { config } = request.routeOptions
  return 'answerMs' in config && typeof config.answerMs === 'number' ? config.answerMs : 0
}

function setValidation(app: FastifyInstance): void {
  const schemas = new Schemas()
  app.setValidatorCompiler<object>(({ schema, httpPart = 'body' }) => {
    const check = schemas.compile(schema, httpPart === 'body' ? 'body' : 'address')
    const place = httpPart === 'querystring' ? 'query' : httpPart
    return (value: unknown) => {
      const { problems } = check(value)
      return problems === undefined ? { value } : { error: inputError(place, problems) }
    }
  })
  // Response schemas are the published promise, not a filter: a filter would drop a field silently.
  app.setSerializerCompiler(() => (answer) => JSON.stringify(answer))
}

function setErrors(app: FastifyInstance, log: Log): void {
  app.setNotFoundHandler((request) => {
    throw new HoldfastError(
      apiErrors.route,
      `there is no ${request.method} ${request.url.split('?')[0] ?? ''}`,
      {
        hint: `GET ${prefix}/openapi.json lists all routes`,
      },
    )
  })
  app.setErrorHandler<FastifyError | HoldfastError>(async (error, request, reply) => {
    const known = error instanceof HoldfastError ? error : ofServer(error)
    if (known === undefined) {
      // A request only reads or delegates, so a defect in it does not put the node's own state in doubt:
      // this one request fails, loudly. What can't be trusted any more ends the process by an assertion.
      log.write('critical', 'requestFailed', {
        text: `a request failed by a defect: ${messageOf(error)}`,
        request: `${request.method} ${request.routeOptions.url ?? ''}`,
        stack: error.stack,
      })
    }
    const answer = answerOf(known ?? internalError())
    await reply.code(answer.status).send(answer.body)
  })
}

/** Refusals of the server itself, in our words. */
function ofServer(error: FastifyError): HoldfastError | undefined {
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new HoldfastError(
      apiErrors.bodySize,
      `the body has more than ${String(bodyBytesMax)} bytes`,
    )
  }
  const status = error.statusCode ?? 500
  if (status >= 400 && status < 500) {
    return new HoldfastError(apiErrors.json, `the request can't be read: ${error.message}`, {
      hint: 'send JSON with content-type application/json',
    })
  }
  return undefined
}

/** The body is left out, but for the words of a command: it may hold a token. */
function answeredBy(request: FastifyRequest, reply: FastifyReply): Answered {
  const from = request.headers[fromHeader]
  const { body } = request
  const isCommand = request.url.split('?')[0]?.endsWith('/commands/run') === true
  const hasWords = isCommand && typeof body === 'object' && body !== null && 'command' in body
  const command = hasWords && typeof body.command === 'string' ? body.command : undefined
  return {
    request: `${request.method} ${request.url}`,
    status: reply.statusCode,
    ...(command === undefined ? {} : { command: command.slice(0, 100) }),
    ...(typeof from === 'string' ? { from } : {}),
  }
}

function documentHead(version: string) {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Holdfast',
      description: 'What a node of a cluster can be told and asked',
      version,
    },
  }
}
