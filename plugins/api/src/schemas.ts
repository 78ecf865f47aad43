/** JSON schemas of what the API takes and gives: they validate requests and are the published document. */

/** A closed object: a property that is not listed is refused. */
export function object(properties: Record<string, object>, required: readonly string[] = []) {
  return { type: 'object', properties, required: [...required], additionalProperties: false }
}

const text = { type: 'string' }
const number = { type: 'number' }
const integer = { type: 'integer' }
const boolean = { type: 'boolean' }

/** Longest answer to one question about the log. */
export const logEntriesMax = 1000
/** Longest time that one wait may take; a client that wants more asks again. */
export const waitMsMax = 60_000

/** Longest time that a command of a plugin may take. */
export const commandMsMax = 600_000

export const moduleName = {
  type: 'string',
  pattern: '^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$',
  description: 'Name of a module',
}

export const nodeName = {
  type: 'string',
  pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$',
  description: 'Name of a node, as in cluster.xml',
}

export const nothing = object({})
export const errorAnswer = object(
  {
    code: { ...text, description: 'Stable: E_<AREA>_<WHAT>' },
    message: { ...text, description: 'What is wrong' },
    hint: { ...text, description: 'What to do next' },
    fields: { type: 'object', additionalProperties: true },
  },
  ['code', 'message', 'fields'],
)

const lan = object(
  {
    lan: text,
    address: text,
    up: boolean,
    heardMsAgo: { ...number, description: 'Absent: never' },
  },
  ['lan', 'address', 'up'],
)

const nodeView = object(
  { node: text, connected: boolean, version: text, lans: { type: 'array', items: lan } },
  ['node', 'connected', 'lans'],
)

export const clusterView = object(
  {
    cluster: { ...text, description: 'Absent: this node belongs to no cluster yet' },
    self: text,
    version: text,
    revision: integer,
    nodes: { type: 'array', items: nodeView },
  },
  ['version', 'revision', 'nodes'],
)

const progress = object(
  {
    phase: { enum: ['compare', 'copy', 'delta'] },
    filesDone: number,
    filesTotal: number,
    bytesDone: number,
    bytesTotal: number,
    bytesPerSecond: number,
    etaSeconds: number,
  },
  ['phase', 'filesDone', 'bytesDone', 'bytesPerSecond'],
)

export const roleNames = ['STOP', 'WAIT', 'ALONE', 'PRIM', 'SECOND', 'UP']
export const subStates = ['NotReady', 'Transient', 'Ready']

export const moduleState = object(
  {
    role: { enum: roleNames },
    sub: { enum: subStates },
    stable: { ...boolean, description: 'Nothing more will happen by itself' },
    detail: text,
    cause: text,
    hint: text,
    sinceMs: { ...number, description: 'Milliseconds since 1970' },
    generation: text,
    progress,
    remote: object(
      { node: text, role: { enum: [...roleNames, 'UNKNOWN'] }, sub: { enum: subStates } },
      ['node', 'role'],
    ),
  },
  ['role', 'sub', 'stable', 'cause', 'sinceMs'],
)

export const moduleView = object(
  {
    name: text,
    id: integer,
    title: text,
    version: text,
    configured: boolean,
    nodes: { type: 'array', items: text },
    state: moduleState,
    failure: object({ code: text, reason: text }, ['code', 'reason']),
  },
  ['name', 'title', 'version', 'configured', 'nodes'],
)

export const installReport = {
  ...moduleView,
  properties: { ...moduleView.properties, notes: { type: 'array', items: text } },
  required: [...moduleView.required, 'notes'],
}

export const moduleList = object({ modules: { type: 'array', items: moduleView } }, ['modules'])

export const configReport = object(
  { nodes: { type: 'array', items: text }, warnings: { type: 'array', items: text } },
  ['nodes', 'warnings'],
)

const logEntry = object(
  {
    sequence: integer,
    atMs: number,
    level: { enum: ['critical', 'event', 'warning', 'info', 'debug'] },
    module: text,
    plugin: text,
    event: text,
    fields: { type: 'object', additionalProperties: true },
  },
  ['sequence', 'atMs', 'level', 'event', 'fields'],
)

export const logAnswer = object({ entries: { type: 'array', items: logEntry } }, ['entries'])

export const logQuery = object({
  limit: { type: 'integer', minimum: 1, maximum: logEntriesMax, default: 100 },
  afterSequence: { type: 'integer', minimum: 0, description: 'Only entries after this one' },
  verbose: { type: 'boolean', default: false },
})

export const commandView = object(
  {
    words: { ...text, description: 'As it is typed: failover explain' },
    summary: text,
    parameters: { type: 'object', additionalProperties: true, description: 'JSON schema' },
    positional: { type: 'array', items: text, description: 'Typed without their name' },
  },
  ['words', 'summary', 'parameters', 'positional'],
)

export const commandResult = object(
  {
    ok: boolean,
    lines: { type: 'array', items: text, description: 'For people' },
    data: { description: 'For programs' },
  },
  ['ok', 'lines', 'data'],
)

const failure = object({ code: text, reason: text }, ['code', 'reason'])
const texts = { type: 'array', items: text }

export const pluginView = object(
  {
    id: text,
    version: text,
    scope: { enum: ['node', 'module'] },
    trust: { enum: ['builtin', 'signed', 'foreign'] },
    signedBy: { ...text, description: 'Name of the trusted key' },
    process: { ...boolean, description: 'It runs as a child process' },
    enabled: boolean,
    capabilities: texts,
    elements: { ...texts, description: 'XML elements of a module that are its own' },
    requires: { type: 'object', additionalProperties: text },
    usedBy: { ...texts, description: 'Modules of this node' },
    failure,
  },
  ['id', 'version', 'scope', 'trust', 'process', 'enabled', 'capabilities', 'elements', 'usedBy'],
)

const activity = object(
  { id: text, version: text, state: text, after: texts, startedMs: number, failure },
  ['id', 'version', 'state', 'after'],
)

export const pluginsReport = object(
  {
    sets: {
      type: 'array',
      items: object(
        {
          module: { ...text, description: 'Absent: the plugins of the node' },
          failure,
          plugins: { type: 'array', items: activity },
        },
        ['plugins'],
      ),
    },
    idle: {
      type: 'array',
      items: object({ id: text, version: text, reason: text }, ['id', 'version', 'reason']),
    },
  },
  ['sets', 'idle'],
)

export const trustedKey = object({ id: text, name: text }, ['id', 'name'])
