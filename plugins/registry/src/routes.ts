/** What operators ask of registries, as routes of the API. */
import { HoldfastError, type Route, type RouteRequest } from '@holdfast/sdk'
import {
  moduleShelves,
  type Offer,
  pluginShelves,
  search,
  type Shelf,
  sorted,
  suggestion,
} from './choose.js'
import type { Kind, RegistryVersion } from './format.js'
import type { Jobs } from './jobs.js'
import { bundledName, hereName, type Market } from './market.js'
import type { Registries } from './registries.js'

const text = { type: 'string' }
const what = { ...text, minLength: 1, maxLength: 1_000 }
const name = { type: 'string', pattern: '^[a-z][a-z0-9-]{0,31}$' }
const id = { type: 'string', pattern: '^[a-z][a-z0-9_-]{0,63}$' }
const object = (properties: object, required: readonly string[]): object => ({
  type: 'object',
  additionalProperties: false,
  required,
  properties,
})
const anything = { type: 'object', additionalProperties: true }
const list = (of: string): object => object({ [of]: { type: 'array', items: anything } }, [of])
const job = object(
  {
    job: text,
    state: { enum: ['running', 'done', 'failed'] },
    bytes: { type: 'integer' },
    total: { type: 'integer', description: '0: not known yet' },
    result: anything,
    error: object({ code: text, message: text, hint: text }, ['code', 'message']),
  },
  ['job', 'state', 'bytes', 'total'],
)

export interface Parts {
  readonly registries: Registries
  readonly market: Market
  readonly jobs: Jobs
}

export function routes(parts: Parts): readonly (readonly [string, Route])[] {
  return [
    ...registryRoutes(parts),
    ...stockRoutes(parts, 'module'),
    ...stockRoutes(parts, 'plugin'),
    resolving(parts),
    ...jobRoutes(parts),
  ]
}

function viewOf(registries: Registries): object {
  return {
    registries: registries.list().map(({ index, ...one }) => ({
      ...one,
      modules: index?.modules.length ?? 0,
      plugins: index?.plugins.length ?? 0,
      expires: index?.expires,
      expired: registries.expired({ ...one, index }),
    })),
  }
}

function registryRoutes({ registries }: Parts): readonly (readonly [string, Route])[] {
  const view = (): object => viewOf(registries)
  return [
    [
      'registry list',
      {
        ...{ method: 'GET', path: '/registries', summary: 'The registries that this node asks' },
        response: list('registries'),
        handle: () => Promise.resolve(view()),
      },
    ],
    [
      'registry add',
      {
        ...{ method: 'POST', path: '/registries', summary: 'Ask this registry from now on' },
        body: object({ name, address: text, unsigned: { type: 'boolean' } }, ['name', 'address']),
        response: list('registries'),
        handle: async (request) => {
          const { name: chosen, address, unsigned = false } = bodyOf<AddRequest>(request)
          assertFree(chosen)
          await registries.add({ name: chosen, address, unsigned })
          return view()
        },
      },
    ],
    [
      'registry remove',
      {
        ...{ method: 'DELETE', path: '/registries/:name', summary: 'Do not ask it any more' },
        params: object({ name }, ['name']),
        response: list('registries'),
        handle: async ({ params }) => {
          await registries.remove(params['name'] ?? '')
          return view()
        },
      },
    ],
    [
      'registry update',
      {
        ...{
          method: 'POST',
          path: '/registries/update',
          summary: 'Fetch the index of each registry',
        },
        body: object({}, []),
        response: list('registries'),
        handle: async () => {
          await registries.update()
          return view()
        },
      },
    ],
  ]
}

function stockRoutes({ market }: Parts, kind: Kind): readonly (readonly [string, Route])[] {
  const path = `/registry/${kind}s`
  const shelves = async (): Promise<readonly Shelf<RegistryVersion>[]> => {
    const offers = await market.offers()
    return kind === 'module' ? moduleShelves(offers) : pluginShelves(offers)
  }
  return [
    [
      `registry search ${kind}`,
      {
        ...{
          method: 'GET',
          path,
          summary: `${kind === 'module' ? 'Modules' : 'Plugins'} that can be installed`,
        },
        query: object({ text: { type: 'string', maxLength: 200, default: '' } }, []),
        response: list(`${kind}s`),
        handle: async ({ query }) => ({
          [`${kind}s`]: search(query['text'] ?? '', await shelves()).map(
            ({ source, id: entry, version }) => ({ source, id: entry, ...version }),
          ),
        }),
      },
    ],
    [
      `registry show ${kind}`,
      {
        ...{ method: 'GET', path: `${path}/:id`, summary: `All versions of one ${kind}` },
        params: object({ id }, ['id']),
        response: list('versions'),
        handle: async ({ params }) => {
          const wanted = params['id'] ?? ''
          const versions = allOf(wanted, await shelves())
          if (versions.length > 0) return { versions }
          throw absent(wanted, await market.offers())
        },
      },
    ],
  ]
}

function allOf(wanted: string, shelves: readonly Shelf<RegistryVersion>[]): readonly object[] {
  return shelves.flatMap(({ source, entries }) =>
    entries
      .filter((entry) => entry.id === wanted)
      .flatMap((entry) => sorted(entry.versions).map((one) => ({ source, ...one }))),
  )
}

/** Whoever asks may not know whether it is a module or a plugin. */
function absent(id: string, offers: readonly Offer[]): HoldfastError {
  const known = offers.flatMap(({ modules, plugins }) =>
    [...modules, ...plugins].map((one) => one.id),
  )
  return new HoldfastError('E_REGISTRY_UNKNOWN', `no registry has ${id}`, {
    hint: suggestion(id, known, '"holdfast registry search" shows what there is'),
  })
}

function resolving({ market }: Parts): readonly [string, Route] {
  const ranges = {
    type: 'object',
    maxProperties: 64,
    additionalProperties: { type: 'string', maxLength: 128 },
  }
  return [
    'registry resolve',
    {
      method: 'POST',
      path: '/registry/resolve',
      summary: 'The plugins that are needed for `requires` of `by`, or for one that is named',
      body: {
        ...object({ requires: ranges, by: { ...text, maxLength: 100 }, plugin: what }, []),
        oneOf: [{ required: ['requires', 'by'] }, { required: ['plugin'] }],
      },
      response: list('plugins'),
      handle: async (request) => ({
        plugins: (await market.resolve(bodyOf<Parameters<Market['resolve']>[0]>(request))).map(
          ({ id: plugin, version, choice }) => ({
            ...{ id: plugin, version, installed: choice === undefined },
            ...(choice === undefined ? {} : { ...choice.version, source: choice.source }),
          }),
        ),
      }),
    },
  ]
}

function jobRoutes({ market, jobs }: Parts): readonly (readonly [string, Route])[] {
  return [
    [
      'registry fetch',
      {
        method: 'POST',
        path: '/registry/fetch',
        summary: 'Bring an archive to this node: [registry/]id[@range], or an address',
        body: object(
          { what, kind: { enum: ['module', 'plugin'] }, unsigned: { type: 'boolean' } },
          ['what'],
        ),
        response: job,
        handle: (request) => {
          const { what: asked, kind = 'module', unsigned = false } = bodyOf<FetchRequest>(request)
          const isAddress = kind === 'module' && /^https?:\/\//.test(asked)
          return Promise.resolve(
            jobs.start((signal, tell) =>
              isAddress
                ? market.fetchAddress(asked, unsigned, signal)
                : market.fetch(asked, kind, signal, tell),
            ),
          )
        },
      },
    ],
    [
      'registry mirror',
      {
        method: 'POST',
        path: '/registry/mirror',
        summary: 'Copy a registry to a directory of this node',
        body: object(
          { registry: name, directory: { type: 'string', pattern: '^/', maxLength: 4096 } },
          ['registry', 'directory'],
        ),
        response: job,
        handle: (request) => {
          const { registry, directory } = bodyOf<MirrorRequest>(request)
          return Promise.resolve(
            jobs.start((signal, tell) => market.mirror(registry, directory, signal, tell)),
          )
        },
      },
    ],
    [
      'registry job',
      {
        method: 'GET',
        path: '/registry/jobs/:job',
        summary: 'The progress of a download; answers when it has ended, or after a second',
        params: object({ job: { type: 'string', pattern: '^j[0-9]{1,9}$' } }, ['job']),
        response: job,
        handle: ({ params }) => jobs.look(params['job'] ?? ''),
      },
    ],
  ]
}

interface AddRequest {
  readonly name: string
  readonly address: string
  readonly unsigned?: boolean
}
interface FetchRequest {
  readonly what: string
  readonly kind?: Kind
  readonly unsigned?: boolean
}
interface MirrorRequest {
  readonly registry: string
  readonly directory: string
}

function assertFree(chosen: string): void {
  if (chosen !== bundledName && chosen !== hereName) return
  throw new HoldfastError('E_REGISTRY_EXISTS', `"${chosen}" is the name of what is on this node`, {
    hint: 'choose another name',
  })
}

/** The body as `T`: the route's schema, which describes `T`, was checked before. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller names what its schema describes
function bodyOf<T>(request: RouteRequest): T {
  return request.body as T // As checked.
}
