/** For tests: a registry of one publisher, and a node that knows registries. */
import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import {
  indexName,
  indexText,
  type RegistryIndex,
  type RegistryModule,
  type RegistryPluginVersion,
  type RegistryVersion,
  signedText,
} from './format.js'
import { Registries } from './registries.js'
import { directoryOf } from './rig.fixture.js'

export const platform = process.platform
export const archive = Buffer.from('an archive, as far as a registry knows')
export const sha256 = createHash('sha256').update(archive).digest('hex')
export const version = (text: string, more: Partial<RegistryVersion> = {}): RegistryVersion => ({
  ...{ version: text, title: 'Shop', platforms: [platform], requires: {} },
  ...{ file: `shop-${text}.safe`, bytes: archive.byteLength, sha256 },
  ...more,
})
export const pluginVersion = (
  text: string,
  more: Partial<RegistryPluginVersion> = {},
): RegistryPluginVersion => ({
  ...version(text, { title: 'A bell', file: `bell-${text}.hfp` }),
  ...{ holdfast: '^0.1.0', capabilities: ['net.connect'], process: false },
  ...more,
})
export const index = (number: number, more: Partial<RegistryIndex> = {}): RegistryIndex => ({
  ...{ name: 'acme', number, issued: '2026-01-01T00:00:00Z', expires: '2027-01-01T00:00:00Z' },
  modules: [{ id: 'shop', versions: [version('1.0.0'), version('1.1.0')] }],
  plugins: [],
  ...more,
})
/** The signature names its key: the tests' own way to sign. */
export const signed = (one: RegistryIndex, signature = 'acme'): string =>
  signedText(indexText(one), signature)

export class MemoryStore {
  readonly values = new Map<string, unknown>()
  read<T>(name: string): Promise<T | undefined> {
    return Promise.resolve(this.values.get(name) as T | undefined) // The writer's type.
  }
  write(name: string, value: unknown): Promise<void> {
    this.values.set(name, structuredClone(value))
    return Promise.resolve()
  }
}

export interface World {
  readonly registries: Registries
  readonly store: MemoryStore
  readonly directory: string
  now: number
}

export async function worldOf(t: ExecutionContext): Promise<World> {
  const directory = await directoryOf(t)
  const store = new MemoryStore()
  const world = { directory, store, now: Date.parse('2026-06-01T00:00:00Z') }
  const registries = new Registries({
    ...{ directory: join(directory, 'indexes'), store, nowMs: () => world.now },
    control: {
      signerOf: ({ signature }) =>
        Promise.resolve(['acme', 'other'].includes(signature) ? signature : undefined),
    },
    log: { write: () => undefined },
  })
  await registries.open()
  return Object.assign(world, { registries })
}

export async function registryIn(
  directory: string,
  one: RegistryIndex,
  signature?: string,
): Promise<void> {
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, indexName), signed(one, signature))
  const entries: readonly RegistryModule[] = [...one.modules, ...one.plugins]
  for (const { file } of entries.flatMap(({ versions }) => versions)) {
    await writeFile(join(directory, file), archive)
  }
}
