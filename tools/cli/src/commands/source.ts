/** Where a module comes from when it is installed or upgraded: a path, an address, or a registry, with progress. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { HoldfastError, type PackageSource } from '@holdfast/sdk'
import type { Context, Input, OptionSpec } from '../spec.js'
import { cliErrors, usageError } from '../exit.js'

export type PackagePlace = Pick<PackageSource, 'path' | 'from' | 'vouched'>

/** What the node tells about a download. */
export interface JobAnswer {
  readonly job: string
  readonly state: 'running' | 'done' | 'failed'
  readonly bytes: number
  readonly total: number
  readonly result?: unknown
  readonly error?: { readonly code: string; readonly message: string; readonly hint?: string }
}

export const sourceSummary =
  'directory, archive, address, or REGISTRY/ID@RANGE; the module NAME of the registries unless told'

export const parameterOption: OptionSpec = {
  ...{ short: 'p', long: 'param', value: 'NAME=VALUE', repeated: true },
  summary: 'value of a parameter; "holdfast module info" shows them',
}

export const unsignedOption: OptionSpec = {
  long: 'unsigned',
  summary: 'accept an archive of an address although nobody trusted signed it',
}

/** The place of `source` on the node, which brings it there first when it is somewhere else. */
export async function placeOf(
  context: Context,
  name: string,
  source: string | undefined,
  unsigned: boolean,
): Promise<PackagePlace> {
  if (source !== undefined && isPath(source)) return { path: resolve(source) }
  try {
    return await fetched(context, source ?? name, 'module', undefined, unsigned)
  } catch (error) {
    const delivered = deliveredSources(source ?? name)
    if (delivered !== undefined && isAbsence(error)) return { path: delivered }
    if (!(error instanceof HoldfastError) || error.code !== routeUnknown) throw error
    throw new HoldfastError(
      cliErrors.file,
      `no module "${source ?? name}" is delivered with Holdfast`,
      {
        hint: `name its directory or archive: holdfast module install ${name} PATH`,
      },
    )
  }
}

/** Brings an archive to `node`, from where that node finds it. */
export async function fetched(
  context: Context,
  what: string,
  kind: 'module' | 'plugin',
  node?: string,
  unsigned = false,
): Promise<PackagePlace> {
  const body = { what, kind, unsigned }
  const job = await context.client.ask<JobAnswer>('POST', '/registry/fetch', { body, node })
  return await ended<PackagePlace>(context, job, what, node)
}

/** Follows a job of `node` until its end. `T` is what the node promises as its result. */
export async function ended<T>(
  context: Context,
  job: JobAnswer,
  what: string,
  node?: string,
): Promise<T> {
  let view = job
  while (view.state === 'running') {
    context.terminal.status(`${what}  ${progressText(view)}`)
    view = await context.client.get<JobAnswer>(`/registry/jobs/${job.job}`, { node })
  }
  if (view.state === 'done') return view.result as T // As the route of the job promises.
  const { code = cliErrors.answer, message = 'it failed', hint } = view.error ?? {}
  throw new HoldfastError(code, message, hint === undefined ? {} : { hint })
}

/** Throws a usage error for what is not NAME=VALUE. */
export function parametersOf(input: Input): Pick<PackageSource, 'parameters'> {
  const entries = input.options('param').map((text): [string, string] => {
    const at = text.indexOf('=')
    if (at > 0) return [text.slice(0, at), text.slice(at + 1)]
    throw usageError(`--param ${text} has no value`, 'write --param NAME=VALUE')
  })
  return entries.length === 0 ? {} : { parameters: Object.fromEntries(entries) }
}

/** Not an address and not a name in a registry. */
export function isPath(source: string): boolean {
  if (/^[a-z]+:\/\//.test(source)) return false
  return /^[./~]/.test(source) || /\.(safe|zip|hfp)$/.test(source) || existsSync(source)
}

/** The plugin that knows registries is not there. */
export const routeUnknown = 'E_API_ROUTE_UNKNOWN'

function isAbsence(error: unknown): boolean {
  const codes = ['E_REGISTRY_UNKNOWN', routeUnknown]
  return error instanceof HoldfastError && codes.includes(error.code)
}

/** In a source tree, modules lie beside the programs before anybody packed them. */
function deliveredSources(name: string): string | undefined {
  const path = fileURLToPath(new URL(`../../../../modules-registry/${name}`, import.meta.url))
  return /^[\w-]+$/.test(name) && existsSync(path) ? path : undefined
}

function progressText({ bytes, total }: JobAnswer): string {
  const kilobytes = `${Math.round(bytes / 1024)} KB`
  return total === 0 ? kilobytes : `${kilobytes} of ${Math.round(total / 1024)} KB`
}
