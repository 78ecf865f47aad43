/** The public keys that the operator of this node trusts: one PEM file each in `/etc/holdfast/trust`. */
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { HoldfastError } from '@holdfast/sdk'
import { isNotFound, removeFile, writeFileAtomic } from '../files/atomic.js'
import type { Directories } from '../files/directories.js'
import { isSignedBy, keyIdOf, parsePublicKey, parseSignature, type Signed } from './signature.js'

export const trustedKeysMax = 64

export interface TrustedKey {
  readonly id: string
  /** Chosen by the operator: whose key it is. */
  readonly name: string
}

const nameForm = /^[a-z0-9][a-z0-9._-]{0,62}$/

export class TrustedKeys {
  private readonly directory: string

  constructor(directories: Pick<Directories, 'etc'>) {
    this.directory = join(directories.etc, 'trust')
  }

  /** Sorted by name. Throws `E_TRUST_KEY` naming the file that holds no key. */
  async list(): Promise<readonly TrustedKey[]> {
    const pems = await this.pems()
    return pems.map(({ name, pem }) => ({ name, id: keyIdOf(this.parse(name, pem)) }))
  }

  /** The trusted key that signed `content`; undefined: none did. Throws `E_TRUST_SIGNATURE` when `signature` is malformed. */
  async verify(
    what: Signed,
    content: Uint8Array,
    signature: string,
  ): Promise<TrustedKey | undefined> {
    const parsed = parseSignature(signature)
    for (const { name, pem } of await this.pems()) {
      const key = this.parse(name, pem)
      if (isSignedBy(key, what, content, parsed)) return { name, id: parsed.key }
    }
    return undefined
  }

  /** Repeating it changes nothing. A name that stands for another key is refused. */
  async add(name: string, pem: string): Promise<TrustedKey> {
    if (!nameForm.test(name)) {
      throw new HoldfastError('E_TRUST_NAME', `"${name.slice(0, 80)}" can't be the name of a key`, {
        hint: 'use lower-case letters, digits, dot, minus and underscore, at most 63',
      })
    }
    const key = parsePublicKey(pem)
    const added = { name, id: keyIdOf(key) }
    const present = await this.list()
    const twin = present.find((one) => one.name === name || one.id === added.id)
    if (twin?.name === name && twin.id === added.id) return added
    if (twin !== undefined) {
      throw new HoldfastError(
        'E_TRUST_EXISTS',
        `key ${twin.id} is trusted as ${twin.name} already`,
        {
          hint: `to replace it: holdfast trust remove ${twin.name}`,
        },
      )
    }
    if (present.length >= trustedKeysMax) {
      throw new HoldfastError(
        'E_TRUST_LIMIT',
        `${String(trustedKeysMax)} keys are trusted already`,
        {
          hint: 'remove one that is not needed',
        },
      )
    }
    await mkdir(this.directory, { recursive: true, mode: 0o755 })
    const text = key.export({ type: 'spki', format: 'pem' })
    await writeFileAtomic(join(this.directory, `${name}.pem`), text, 0o644)
    return added
  }

  async remove(name: string): Promise<TrustedKey> {
    const present = await this.list()
    const key = present.find((one) => one.name === name || one.id === name)
    if (key === undefined) {
      const names = present.map((one) => one.name).join(', ')
      throw new HoldfastError('E_TRUST_UNKNOWN', `no key "${name}" is trusted here`, {
        hint: names === '' ? 'no key is trusted yet' : `trusted: ${names}`,
      })
    }
    await removeFile(join(this.directory, `${key.name}.pem`))
    return key
  }

  private async pems(): Promise<readonly { readonly name: string; readonly pem: string }[]> {
    const files = (await this.files()).filter((file) => file.endsWith('.pem')).sort()
    const read = files.slice(0, trustedKeysMax).map(async (file) => ({
      name: file.slice(0, -'.pem'.length),
      pem: await readFile(join(this.directory, file), 'utf8'),
    }))
    return await Promise.all(read)
  }

  private async files(): Promise<readonly string[]> {
    try {
      return await readdir(this.directory)
    } catch (thrown) {
      if (isNotFound(thrown)) return []
      throw thrown
    }
  }

  private parse(name: string, pem: string): ReturnType<typeof parsePublicKey> {
    try {
      return parsePublicKey(pem)
    } catch (thrown) {
      if (!(thrown instanceof HoldfastError)) throw thrown
      const file = join(this.directory, `${name}.pem`)
      throw new HoldfastError(thrown.code, `${file}: ${thrown.message}`, {
        hint: 'remove the file, or restore it',
        cause: thrown,
      })
    }
  }
}
