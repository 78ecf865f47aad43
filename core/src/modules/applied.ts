/** The configuration of a module that is in force on this node: written by `config`, read at each start. */
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readIfExists } from '../files/atomic.js'
import { readVersioned, writeVersioned } from '../files/versioned.js'
import { Serial } from '../scheduling/serial.js'
import type { ModuleLayout } from './layout.js'
import {
  exists,
  fileOf,
  type ModulePackage,
  recoverReplaced,
  replaceDirectory,
  writePackage,
} from '../packages/package.js'
import { removeTree } from './participant.js'
import { assertShape, type ModuleOrder, orderSchema } from './protocol.js'

const format = { format: 'module-applied', version: 1 }

export interface AppliedModule extends ModuleOrder {
  readonly userConfig: string
  readonly about: ModuleAbout
}

/** From `module.json`; every field has a value. */
export interface ModuleAbout {
  readonly title: string
  readonly version: string
}

export async function stageApplied(
  layout: ModuleLayout,
  order: ModuleOrder,
  sources: ModulePackage,
): Promise<void> {
  await removeTree(layout.staged)
  await mkdir(layout.staged, { recursive: true, mode: 0o755 })
  await writePackage(sources, join(layout.staged, 'package'))
  await writeVersioned(join(layout.staged, 'applied.json'), format, orderOf(order))
}

/** Safe to repeat: after the rename there is nothing staged, and what is applied is what was staged. */
export async function commitApplied(layout: ModuleLayout): Promise<void> {
  await recoverReplaced(layout.applied)
  if (await exists(layout.staged)) await replaceDirectory(layout.staged, layout.applied)
}

/** Undefined: the module is not configured on this node. */
export async function readApplied(layout: ModuleLayout): Promise<AppliedModule | undefined> {
  await recoverReplaced(layout.applied)
  const path = join(layout.applied, 'applied.json')
  const body = await readVersioned(path, format)
  if (body === undefined) return undefined
  assertShape(orderSchema, body, path)
  const order = body as ModuleOrder // As checked.
  const userConfig = await readFile(join(layout.applied, 'package/conf/userconfig.xml'), 'utf8')
  const about = await readIfExists(join(layout.applied, 'package/module.json'))
  return { ...order, userConfig, about: aboutOf(about, order.name) }
}

/** The order alone, without what was read beside it. */
export function orderOf(applied: ModuleOrder): ModuleOrder {
  const { kind, name, id, nodes, digest, file, plugins = {} } = applied
  return { kind, name, id, nodes, digest, file, plugins }
}

/** Makes the editable sources equal to what was applied, so that every node can be edited next. */
export async function writeSources(layout: ModuleLayout, sources: ModulePackage): Promise<void> {
  await writing.run(async () => {
    await removeTree(layout.sourcesStaged)
    await writePackage(sources, layout.sourcesStaged)
    await replaceDirectory(layout.sourcesStaged, layout.sources)
  })
}

/** Orders of the operator and decisions of other nodes wait in queues of their own, and meet at the same files here. */
const writing = new Serial('the sources of a module', 256)

export function aboutPackage(sources: ModulePackage, name: string): ModuleAbout {
  return aboutOf(fileOf(sources, 'module.json'), name)
}

/** A description never keeps a module from running: what can't be read is replaced by the name. */
function aboutOf(text: string | undefined, name: string): ModuleAbout {
  const about = { title: name, version: '0.0.0' }
  if (text === undefined) return about
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null) return about
    const title = 'title' in value && typeof value.title === 'string' ? value.title : about.title
    const version =
      'version' in value && typeof value.version === 'string' ? value.version : about.version
    return { title: title.slice(0, 200), version: version.slice(0, 64) }
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return about
    throw thrown
  }
}
