/** For tests: a small module, and refusals that are values. */
import { HoldfastError } from '@holdfast/sdk'
import { makePackage, type ModulePackage } from './package.js'

export type Files = Readonly<Record<string, string>>

export const manifest = (more: object = {}): string =>
  JSON.stringify({ id: 'shop', version: '1.0.0', title: 'Shop', platforms: ['linux'], ...more })
export const parameters = {
  required: ['PORT'],
  properties: {
    PORT: { type: 'integer', minimum: 1, maximum: 65535, title: 'TCP port' },
    NAME: { type: 'string', maxLength: 10 },
  },
}
export const xml = (port: string, name = 'a', rest = ''): string =>
  `<safe>\n  <macro name="PORT" value="${port}"/>\n  <macro name='NAME' value='${name}'/>${rest}\n  <service mode="mirror"/>\n</safe>\n`
export const shop: Files = {
  'module.json': manifest({ parameters }),
  'conf/userconfig.xml': xml('80'),
  'bin/start_prim': '#!/bin/sh\n',
}

export function packageOf(files: Files): ModulePackage {
  const list = Object.entries(files).map(([path, text]) => ({
    ...{ path, isExecutable: path.startsWith('bin/'), data: Buffer.from(text) },
  }))
  return makePackage(list, 'test')
}

export async function refusal(work: Promise<unknown>): Promise<HoldfastError> {
  const outcome = await work.catch((thrown: unknown) => thrown)
  if (outcome instanceof HoldfastError) return outcome
  throw new Error(`no refusal: ${String(outcome)}`)
}
