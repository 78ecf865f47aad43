/** What the API adds to the routes that plugins contribute. */
import type { Route, RouteRequest } from '@holdfast/sdk'

export interface ApiRoute extends Route {
  /** HTTP status of a success; 200 unless told. */
  readonly status?: number
  /** How long its answer may take beyond that of others; 0 unless told. */
  readonly answerMs?: number
}

/** The body as `T`: only for a request whose body passed a schema that describes `T`. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller names what its schema describes
export function bodyOf<T>(request: RouteRequest): T {
  return request.body as T // The route's schema was checked before its handler runs.
}

/** A parameter of the path that the route names. */
export function param(request: RouteRequest, name: string): string {
  const value = request.params[name]
  if (value === undefined) throw new Error(`the path of this route has no parameter "${name}"`)
  return value
}
