/** HTTP routes that plugins add to the API, without knowing the HTTP server. */
import { point } from './token.js'

export interface RouteRequest {
  readonly params: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string>>
  readonly body: unknown
  /** The client went away: nobody reads the answer. */
  readonly signal: AbortSignal
}

/** Schemas are JSON schema: they validate, and they are the published OpenAPI document. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Below `/api/v1`, with `:name` parameters. */
  readonly path: string
  readonly summary: string
  readonly params?: object
  readonly query?: object
  readonly body?: object
  readonly response: object
  handle(request: RouteRequest): Promise<unknown>
}

export const route = point<Route>('point.route')
