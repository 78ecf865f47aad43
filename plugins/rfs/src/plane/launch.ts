/** Reads and checks the launch file: what a data plane is told when it starts. Nothing in it is secret. */
import { readFileSync } from 'node:fs'
import { HoldfastError, messageOf } from '@holdfast/sdk'
import type { PlaneLaunch } from '../driver/protocol.js'
import { ruleProblem, type ExclusionRule } from './exclusions.js'

type Fields = Readonly<Record<string, unknown>>

/** Throws E_RFS_LAUNCH that names the field. */
export function readLaunch(path: string): PlaneLaunch {
  const fields = parse(path)
  const refuse = (field: string, allowed: string): never => {
    throw new HoldfastError('E_RFS_LAUNCH', `${path}: "${field}" must be ${allowed}`, {
      hint: 'Start the data plane with the launch file of the same version of Holdfast.',
    })
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
  if (fields['format'] !== 1) refuse('format', '1')
  const listen = fields['listen']
  if (!isFields(listen)) return refuse('listen', 'an object with address and port')
  const volumes = fields['volumes']
  if (!Array.isArray(volumes) || volumes.length < 1 || volumes.length > 16) {
    return refuse('volumes', 'a list of 1 to 16 volumes')
  }
  const wait = fields['async']
  if (wait !== 'none' && wait !== 'second') return refuse('async', '"none" or "second"')
  const encryption = fields['encryption']
  if (typeof encryption !== 'boolean') return refuse('encryption', 'true or false')
  const awake = fields['awake']
  if (typeof awake !== 'boolean') return refuse('awake', 'true or false')
  const rate = fields['copyBytesPerSecond']
  return {
    format: 1,
    module: text(fields, 'module'),
    node: text(fields, 'node'),
    socket: text(fields, 'socket'),
    journal: text(fields, 'journal'),
    volumes: volumes.map((volume: unknown, index) => {
      if (!isFields(volume)) return refuse('volumes', 'a list of objects')
      const directory = text(volume, 'directory')
      if (!directory.startsWith('/')) refuse('volumes', 'absolute directories')
      if (volume['index'] !== index) refuse('volumes', 'numbered from 0 in their order')
      const notReplicated = rulesOf(volume['notReplicated'])
      if (notReplicated === undefined) return refuse('volumes', 'with rules that can be read')
      return { index, directory, ...(notReplicated.length === 0 ? {} : { notReplicated }) }
    }),
    zoneBytes: count(fields, 'zoneBytes', 65_536, 1_048_576),
    timeoutMs: count(fields, 'timeoutMs', 100, 600_000),
    async: wait,
    encryption,
    awake,
    listen: {
      address: listen['address'] === undefined ? undefined : text(listen, 'address'),
      port: count(listen, 'port', 0, 65_535),
    },
    copyBytesPerSecond: typeof rate === 'number' ? rate : undefined,
  }
}

function parse(path: string): Fields {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
    if (isFields(value)) return value
  } catch (cause) {
    const reason = `${path} can't be read: ${messageOf(cause)}`
    throw new HoldfastError('E_RFS_LAUNCH', reason, { cause })
  }
  throw new HoldfastError('E_RFS_LAUNCH', `${path} must hold one JSON object`)
}

/** Undefined: they are none. */
function rulesOf(value: unknown): readonly ExclusionRule[] | undefined {
  if (value === undefined) return []
  if (!Array.isArray(value)) return undefined
  const rules = value.map((one: unknown) => ruleOf(isFields(one) ? one : {}))
  return rules.every((rule) => ruleProblem(rule) === undefined) ? rules : undefined
}

function ruleOf({ path, regexpath }: Fields): ExclusionRule {
  if (typeof path === 'string') return { path }
  return typeof regexpath === 'string' ? { regexpath } : {}
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
