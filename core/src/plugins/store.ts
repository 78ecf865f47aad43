/**
 * Plugins that the operator installed: `/var/lib/holdfast/plugins/ID/VERSION`, several versions side by side. A version is
 * there whole or not at all; its list of hashes and its signature stay beside its files, and are checked at each start.
 */
import { mkdir, readdir, readFile, rename, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { HoldfastError } from '@holdfast/sdk'
import { codeOf, readIfExists, syncDirectory, writeFileAtomic } from '../files/atomic.js'
import { readVersioned, writeVersioned } from '../files/versioned.js'
import {
  type BrokenPlugin,
  type PluginSource,
  type Trust,
  verifyPlugin,
} from '../kernel/discover.js'
import type { Archive } from '../packages/archive.js'
import { checkList, listName, signatureName } from '../packages/listing.js'
import { readPackage, writePackage } from '../packages/package.js'
import { isVersion } from '../kernel/versions.js'
import type { TrustedKeys } from '../trust/keyring.js'

export const installedMax = 256
const disabledFormat = { format: 'disabled-plugins', version: 1 }
const idForm = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/

export interface StoredPlugin {
  readonly source: PluginSource | undefined
  readonly broken: BrokenPlugin | undefined
}

export class PluginStore {
  constructor(
    private readonly directory: string,
    private readonly keys: Pick<TrustedKeys, 'verify'>,
    private readonly holdfastVersion: string,
  ) {}

  /** Everything that is installed; what is damaged or made for another Holdfast is `broken`. */
  async list(): Promise<readonly StoredPlugin[]> {
    await rm(this.staged(), { recursive: true, force: true })
    const stored: StoredPlugin[] = []
    for (const id of (await names(this.directory)).filter((name) => idForm.test(name))) {
      for (const version of (await names(join(this.directory, id))).filter(isVersion)) {
        if (stored.length < installedMax) stored.push(await this.read(id, version))
      }
    }
    return stored
  }

  /**
   * Lets installed plugins find the sdk of this Holdfast, and no copy of their own: an error of the one must be an error
   * of the other. Node looks for packages in every directory above a file.
   */
  async linkSdk(): Promise<void> {
    const scope = join(this.directory, 'node_modules', '@holdfast')
    const sdk = fileURLToPath(new URL('..', import.meta.resolve('@holdfast/sdk')))
    await mkdir(scope, { recursive: true, mode: 0o755 })
    await rm(join(scope, 'sdk'), { force: true })
    await symlink(sdk, join(scope, 'sdk'))
  }

  /** Who answers for an archive that is not installed yet. */
  async trustOf(list: Buffer, signature: string | undefined): Promise<Trust> {
    if (signature === undefined) return { kind: 'foreign' }
    const key = await this.keys.verify('plugin', list, signature)
    return key === undefined ? { kind: 'foreign' } : { kind: 'signed', by: key.name }
  }

  /** Throws when this version is there already. A crash leaves nothing that counts. */
  async add(id: string, version: string, archive: Archive): Promise<void> {
    const target = this.place(id, version)
    if ((await names(join(this.directory, id))).includes(version)) {
      throw new HoldfastError('E_PLUGIN_EXISTS', `plugin ${id} ${version} is installed already`, {
        hint: `another content needs another version; or holdfast plugin remove ${id}@${version}`,
      })
    }
    if ((await this.list()).length >= installedMax) {
      throw new HoldfastError('E_PLUGIN_LIMIT', `${installedMax} plugins are installed already`, {
        hint: 'remove versions that no module uses',
      })
    }
    const staged = this.staged()
    await mkdir(this.directory, { recursive: true, mode: 0o755 })
    await rm(staged, { recursive: true, force: true })
    await writePackage(archive.package, join(staged, 'files'))
    await writeFileAtomic(join(staged, listName), archive.list, 0o644)
    if (archive.signature !== undefined) {
      await writeFileAtomic(join(staged, signatureName), archive.signature, 0o644)
    }
    await mkdir(join(this.directory, id), { recursive: true, mode: 0o755 })
    await rename(staged, target)
    await syncDirectory(join(this.directory, id))
    await syncDirectory(this.directory)
  }

  async remove(id: string, version: string): Promise<void> {
    // Renamed first: half a plugin must not look like one.
    const staged = this.staged()
    await rm(staged, { recursive: true, force: true })
    await rename(this.place(id, version), staged)
    await syncDirectory(join(this.directory, id))
    await rm(staged, { recursive: true, force: true })
  }

  /** Ids of plugins that the operator does not want to be used, also of built in ones. */
  async disabled(): Promise<readonly string[]> {
    const body = await readVersioned(join(this.directory, 'disabled.json'), disabledFormat)
    return Array.isArray(body) ? body.filter((id) => typeof id === 'string').sort() : []
  }

  async setDisabled(ids: readonly string[]): Promise<void> {
    await mkdir(this.directory, { recursive: true, mode: 0o755 })
    await writeVersioned(join(this.directory, 'disabled.json'), disabledFormat, [...ids].sort())
  }

  private async read(id: string, version: string): Promise<StoredPlugin> {
    const place = this.place(id, version)
    const directory = join(place, 'files')
    try {
      const manifest = await verifyPlugin(directory, this.holdfastVersion)
      if (manifest.id !== id || manifest.version !== version) {
        throw new HoldfastError(
          'E_PLUGIN_MANIFEST',
          `${directory} holds plugin ${manifest.id} ${manifest.version}`,
        )
      }
      const list = await readFile(join(place, listName))
      checkList(list, (await readPackage(directory, 'plugin.json')).files, directory)
      const signature = await readIfExists(join(place, signatureName))
      const trust = await this.trustOf(list, signature)
      if (trust.kind === 'foreign' && manifest.process !== true) throw untrusted(id, version)
      return { source: { manifest, directory, trust }, broken: undefined }
    } catch (thrown) {
      const isLost = codeOf(thrown) === 'ENOENT'
      if (!(thrown instanceof HoldfastError) && !isLost) throw thrown
      const code = thrown instanceof HoldfastError ? thrown.code : 'E_PLUGIN_DAMAGED'
      const reason = thrown instanceof HoldfastError ? thrown.message : `${place} is incomplete`
      return { source: undefined, broken: { id: `${id}@${version}`, directory, code, reason } }
    }
  }

  private place(id: string, version: string): string {
    return join(this.directory, id, version)
  }

  private staged(): string {
    return join(this.directory, '.staged')
  }
}

export function untrusted(id: string, version: string): HoldfastError {
  return new HoldfastError(
    'E_PLUGIN_UNTRUSTED',
    `plugin ${id} ${version} would run inside holdfastd, and no key that you trust has signed it`,
    {
      hint: 'trust the key of its author: holdfast trust add NAME FILE; or ask for one that runs as a process',
    },
  )
}

async function names(directory: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true })
    const found = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
    return found.filter((name) => !name.startsWith('.')).sort()
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT') return []
    throw thrown
  }
}
