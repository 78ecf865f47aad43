/** The registries that this node knows: their indexes, checked and kept, and what the last answer of each was. */
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Control, HoldfastError, type Log, type Store } from '@holdfast/sdk'
import { suggestion } from './choose.js'
import { readBytes } from './download.js'
import { indexBytesMax, indexName, parseSigned, type RegistryIndex } from './format.js'

export const registriesMax = 32
const updateTimeoutMs = 60_000

/** One registry, as it is remembered. */
export interface Registry {
  readonly name: string
  /** Ends with a slash. */
  readonly address: string
  /** Name of the trusted key that signs its index; empty: it was added as one that nobody signs. */
  readonly key: string
  /** The highest number of an index ever seen here. */
  readonly number: number
  /** Why the last update failed; empty: it did not. */
  readonly failure: string
}

export interface KnownRegistry extends Registry {
  readonly index: RegistryIndex | undefined
}

export interface RegistriesOptions {
  readonly directory: string
  readonly store: Pick<Store, 'read' | 'write'>
  readonly control: Pick<Control, 'signerOf'>
  readonly log: Log
  /** Milliseconds since 1970: whether an index has expired. */
  readonly nowMs: () => number
}

export class Registries {
  private known: readonly KnownRegistry[] = []

  constructor(private readonly options: RegistriesOptions) {}

  async open(): Promise<void> {
    await mkdir(this.options.directory, { recursive: true, mode: 0o700 })
    const stored = (await this.options.store.read<readonly Registry[]>('registries')) ?? []
    this.known = await Promise.all(
      stored.map(async (one) => ({ ...one, index: await this.kept(one) })),
    )
  }

  list(): readonly KnownRegistry[] {
    return this.known
  }

  /** Fetches the index first: what can't be read or is signed by nobody whom this node trusts is not added. */
  async add(request: {
    readonly name: string
    readonly address: string
    readonly unsigned: boolean
  }): Promise<KnownRegistry> {
    const { name, unsigned } = request
    if (this.known.some((one) => one.name === name) || this.known.length >= registriesMax) {
      throw new HoldfastError('E_REGISTRY_EXISTS', `there is a registry ${name} already`, {
        hint: `holdfast registry remove ${name}, or choose another name`,
      })
    }
    const address = baseOf(request.address)
    const fresh = { name, address, key: '', number: 0, failure: '' }
    const added = await this.fetch(fresh, unsigned)
    await this.save([...this.known, added])
    return added
  }

  async remove(name: string): Promise<void> {
    const removed = this.one(name)
    await this.save(this.known.filter((one) => one !== removed))
    await rm(this.path(name), { force: true })
  }

  /** Each registry's own answer; one that fails keeps what it had. */
  async update(): Promise<readonly KnownRegistry[]> {
    const updated = await Promise.all(this.known.map((one) => this.updateOne(one)))
    // What was added or removed meanwhile stays so.
    const of = (name: string): KnownRegistry | undefined => updated.find((one) => one.name === name)
    await this.save(this.known.map((one) => of(one.name) ?? one))
    return this.known
  }

  one(name: string): KnownRegistry {
    const found = this.known.find((one) => one.name === name)
    if (found !== undefined) return found
    const names = this.known.map((one) => one.name)
    const all = names.length === 0 ? 'none was added yet' : `registries: ${names.join(', ')}`
    throw new HoldfastError('E_REGISTRY_NAME_UNKNOWN', `there is no registry ${name}`, {
      hint: suggestion(name, names, all),
    })
  }

  /** Undefined: it is usable. */
  expired({ index }: KnownRegistry): string | undefined {
    if (index === undefined || Date.parse(index.expires) > this.options.nowMs()) return undefined
    return `its index expired at ${index.expires}: it may be an old one`
  }

  private async updateOne(registry: KnownRegistry): Promise<KnownRegistry> {
    try {
      return await this.fetch(registry, registry.key === '')
    } catch (thrown) {
      if (!(thrown instanceof HoldfastError)) throw thrown
      const { code, message } = thrown
      this.options.log.write('warning', 'registryNotUpdated', {
        registry: registry.name,
        code,
        text: message,
      })
      return { ...registry, failure: message }
    }
  }

  private async fetch(registry: Registry, unsigned: boolean): Promise<KnownRegistry> {
    const { name, address, number } = registry
    const url = new URL(indexName, address)
    const data = await readBytes(url, indexBytesMax, AbortSignal.timeout(updateTimeoutMs))
    const { text, signature, index } = parseSigned(data.toString('utf8'), url.href)
    const key = await this.signer(registry, { text, signature, unsigned })
    if (index.number < number) {
      throw new HoldfastError(
        'E_REGISTRY_OLD',
        `${url.href} shows index ${index.number}, but index ${number} was seen here before`,
        {
          hint: 'an old index hides what was published since: tell whoever publishes the registry',
        },
      )
    }
    const fresh = { name, address, key, number: index.number, failure: '', index }
    const expired = this.expired(fresh)
    if (expired !== undefined) {
      throw new HoldfastError('E_REGISTRY_EXPIRED', `${url.href}: ${expired}`, {
        hint: 'tell whoever publishes the registry; check the clock of this node',
      })
    }
    await writeFile(`${this.path(name)}.new`, data, { mode: 0o600 })
    await rename(`${this.path(name)}.new`, this.path(name))
    return fresh
  }

  /** The first signer of a registry stays its signer: another trusted key must not slip in its place. */
  private async signer(
    { name, key, number }: Registry,
    said: { readonly text: string; readonly signature: string; readonly unsigned: boolean },
  ): Promise<string> {
    if (said.unsigned) return ''
    const { signature } = said
    const content = Buffer.from(said.text)
    const signer =
      signature === ''
        ? undefined
        : await this.options.control.signerOf({ what: 'index', content, signature })
    const isFirst = number === 0
    if (signer !== undefined && (isFirst || signer === key)) return signer
    throw new HoldfastError(
      'E_REGISTRY_SIGNATURE',
      `the index of ${name}: ${refusalOf(signature, signer, key)}`,
      {
        hint: 'trust the key of its publisher ("holdfast trust add"), or add it with --unsigned when you trust the server',
      },
    )
  }

  private async kept(registry: Registry): Promise<RegistryIndex | undefined> {
    try {
      return parseSigned(await readFile(this.path(registry.name), 'utf8'), registry.name).index
    } catch (thrown) {
      const isAbsent = thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT'
      // A damaged copy is as good as none: the next update brings it again.
      if (isAbsent || thrown instanceof HoldfastError) return undefined
      throw thrown
    }
  }

  private async save(known: readonly KnownRegistry[]): Promise<void> {
    const stored = known.map(({ name, address, key, number, failure }): Registry => ({
      ...{ name, address, key, number, failure },
    }))
    await this.options.store.write('registries', stored)
    this.known = known
  }

  /** The signed index as it was received. */
  path(name: string): string {
    return join(this.options.directory, `${name}.json`)
  }
}

function refusalOf(signature: string, signer: string | undefined, key: string): string {
  if (signature === '') return 'nobody signed it'
  return signer === undefined
    ? 'no key that this node trusts signed it'
    : `${signer} signed it, and not ${key}`
}

/** Throws `E_REGISTRY_ADDRESS`. */
export function baseOf(address: string): string {
  const text = address.startsWith('/') ? `file://${address}` : address
  if (!URL.canParse(text) || !/^(https?|file):$/.test(new URL(text).protocol)) {
    throw new HoldfastError('E_REGISTRY_ADDRESS', `"${address}" is no address of a registry`, {
      hint: 'write https://…, http://…, file:///… or the absolute path of a directory',
    })
  }
  return text.endsWith('/') ? text : `${text}/`
}
