/**
 * What a data plane is told when it starts: one JSON file, named by its only argument, written by the rfs plugin.
 * Nothing in it is secret; session keys come over the control socket.
 */
import { readFileSync } from 'node:fs'
import { HoldfastError, messageOf } from '@holdfast/sdk'

export interface PlaneSettings {
  /** Name of the module, for the mount table and the log. */
  readonly module: string
  /** Directory of `rfs.sock`. */
  readonly run: string
  /** Directory that holds `journal/`. */
  readonly state: string
  /** Absolute paths of the replicated directories, in the order of the configuration. */
  readonly volumes: readonly string[]
  /** Where the server side listens. */
  readonly listen: { readonly address: string; readonly port: number }
  readonly zoneBytes: number
  /** A link that is silent for this time is lost. */
  readonly timeoutMs: number
  /** False: frames travel in clear on a private link; the handshake is authenticated in any case. */
  readonly encryption: boolean
  /** True (`async="none"`): fsync waits for both disks. False (`async="second"`): for the local one. */
  readonly syncBoth: boolean
}

type Fields = Readonly<Record<string, unknown>>

/** Reads and checks the file; throws E_RFS_SETTINGS that names the field. */
export function readSettings(path: string): PlaneSettings {
  const fields = parse(path)
  const refuse = (field: string, allowed: string): never => {
    throw new HoldfastError('E_RFS_SETTINGS', `${path}: "${field}" must be ${allowed}`)
  }
  const text = (from: Fields, field: string): string => {
    const value = from[field]
    return typeof value === 'string' && value !== '' ? value : refuse(field, 'a text')
  }
  const count = (from: Fields, field: string, least: number, most: number): number => {
    const value = from[field]
    const fits = typeof value === 'number' && Number.isInteger(value)
    if (!fits || value < least || value > most) return refuse(field, `${least} to ${most}`)
    return value
  }
  const truth = (field: string): boolean => {
    const value = fields[field]
    return typeof value === 'boolean' ? value : refuse(field, 'true or false')
  }
  const volumes = fields['volumes']
  if (!Array.isArray(volumes) || volumes.length < 1 || volumes.length > 16) {
    return refuse('volumes', 'a list of 1 to 16 directories')
  }
  const directories = volumes.map((volume: unknown) =>
    typeof volume === 'string' && volume.startsWith('/') ? volume : refuse('volumes', 'absolute'),
  )
  const listen = fields['listen']
  if (!isFields(listen)) return refuse('listen', 'an object with address and port')
  return {
    module: text(fields, 'module'),
    run: text(fields, 'run'),
    state: text(fields, 'state'),
    volumes: directories,
    listen: { address: text(listen, 'address'), port: count(listen, 'port', 0, 65_535) },
    zoneBytes: count(fields, 'zoneBytes', 65_536, 1_048_576),
    timeoutMs: count(fields, 'timeoutMs', 100, 600_000),
    encryption: truth('encryption'),
    syncBoth: truth('syncBoth'),
  }
}

function parse(path: string): Fields {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
    if (isFields(value)) return value
  } catch (cause) {
    throw new HoldfastError('E_RFS_SETTINGS', `${path} can't be read: ${messageOf(cause)}`, {
      cause,
    })
  }
  throw new HoldfastError('E_RFS_SETTINGS', `${path} must hold one JSON object`)
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
