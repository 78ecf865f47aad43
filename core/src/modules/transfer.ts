/** A module package as messages between nodes: packed, cut into parts, put together again within written maxima. */
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import { HoldfastError } from '@holdfast/sdk'
import { makePackage, type ModulePackage, packageBytesMax } from '../packages/package.js'
import { assertShape, partBytes, partsMax } from './protocol.js'

const transfersMax = 4
/** Base64 and JSON make the content larger by a third; the rest is names. */
const unpackedBytesMax = packageBytesMax * 2

const filesSchema = {
  type: 'object',
  required: ['files'],
  properties: {
    files: {
      type: 'array',
      items: {
        type: 'object',
        required: ['path', 'isExecutable', 'data'],
        properties: {
          path: { type: 'string' },
          isExecutable: { type: 'boolean' },
          data: { type: 'string' },
        },
      },
    },
  },
}

export async function partsOf(sources: ModulePackage): Promise<readonly string[]> {
  const files = sources.files.map(({ data, ...file }) => ({
    ...file,
    data: data.toString('base64'),
  }))
  const packed = await promisify(gzip)(JSON.stringify({ files }))
  const parts: string[] = []
  for (let offset = 0; offset < packed.byteLength; offset += partBytes) {
    parts.push(packed.subarray(offset, offset + partBytes).toString('base64'))
  }
  return parts
}

/** Parts of the transfers that run. What is never completed is pushed out by later ones. */
export class Transfers {
  private readonly open = new Map<string, (string | undefined)[]>()

  add(transaction: string, part: { index: number; count: number; data: string }): void {
    const count = Math.min(part.count, partsMax)
    const parts = this.open.get(transaction) ?? Array.from({ length: count }, () => undefined)
    if (parts.length !== count || part.index >= count) throw incomplete()
    parts[part.index] = part.data
    this.open.delete(transaction)
    this.open.set(transaction, parts)
    const oldest = this.open.keys().next().value
    if (this.open.size > transfersMax && oldest !== undefined) this.open.delete(oldest)
  }

  /** The package, checked like any other; the parts are forgotten. */
  async take(transaction: string): Promise<ModulePackage> {
    const parts = this.open.get(transaction) ?? []
    this.open.delete(transaction)
    const present = parts.filter((part) => part !== undefined)
    if (present.length === 0 || present.length < parts.length) throw incomplete()
    const packed = Buffer.concat(present.map((part) => Buffer.from(part, 'base64')))
    const text = await promisify(gunzip)(packed, { maxOutputLength: unpackedBytesMax })
    const content: unknown = JSON.parse(text.toString('utf8'))
    assertShape(filesSchema, content, 'a transferred package')
    const { files } = content as { files: { path: string; isExecutable: boolean; data: string }[] } // As checked.
    const decoded = files.map((file) => ({ ...file, data: Buffer.from(file.data, 'base64') }))
    return makePackage(decoded, 'the transferred package')
  }
}

function incomplete(): HoldfastError {
  return new HoldfastError('E_PROTOCOL', 'a transferred package is incomplete', {
    hint: 'repeat the order',
  })
}
