/**
 * The one door to zip: reads an archive into memory without writing anything. Sizes are counted while unpacking,
 * because what a zip file says about itself need not be true.
 */
import type { Readable } from 'node:stream'
import { HoldfastError, messageOf } from '@holdfast/sdk'
import { type Entry, fromBufferPromise, type ZipFile } from 'yauzl'
import { assertPath, packageBytesMax, type PackageFile, packageFilesMax } from './package.js'

const fileTypeMask = 0o170000
const regularFile = 0o100000
const directory = 0o040000
const madeByUnix = 3

/** Files in the order of the archive, paths checked. Throws `E_PACKAGE_INVALID`. */
export async function readZip(data: Buffer, origin: string): Promise<readonly PackageFile[]> {
  const zip = await opened(data, origin)
  const files: PackageFile[] = []
  let entries = 0
  let bytes = 0
  try {
    for await (const entry of zip.eachEntry()) {
      entries += 1
      if (entries > 2 * packageFilesMax) throw refusal(origin, 'it has too many entries')
      if (entry.fileName.endsWith('/')) {
        assertPath(entry.fileName.replace(/\/+$/, ''), origin)
        continue
      }
      assertPath(entry.fileName, origin)
      assertPlain(entry, origin)
      const content = await contentOf(zip, entry, packageBytesMax - bytes, origin)
      bytes += content.byteLength
      const isExecutable = (unixMode(entry) & 0o111) !== 0
      files.push({ path: entry.fileName, isExecutable, data: content })
    }
  } catch (thrown) {
    if (thrown instanceof HoldfastError) throw thrown
    // The library has no class for its errors; each means that the file is not what it says.
    throw refusal(origin, messageOf(thrown))
  } finally {
    zip.close()
  }
  return files
}

async function opened(data: Buffer, origin: string): Promise<ZipFile> {
  try {
    return await fromBufferPromise(data, {
      autoClose: false,
      lazyEntries: true,
      decodeStrings: true,
      validateEntrySizes: true,
      // Archives made on Windows may have back slashes: they become slashes, and the path is checked after that.
      strictFileNames: false,
    })
  } catch (thrown) {
    throw refusal(origin, messageOf(thrown))
  }
}

function assertPlain(entry: Entry, origin: string): void {
  if (entry.isEncrypted()) throw refusal(origin, `"${entry.fileName}" is encrypted`)
  const type = unixMode(entry) & fileTypeMask
  if (type !== 0 && type !== regularFile && type !== directory) {
    throw refusal(origin, `"${entry.fileName}" is a link or a special file`)
  }
  if (entry.uncompressedSize > packageBytesMax) throw tooLarge(origin)
}

async function contentOf(
  zip: ZipFile,
  entry: Entry,
  bytesMax: number,
  origin: string,
): Promise<Buffer> {
  const stream: Readable = await zip.openReadStreamPromise(entry)
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of stream) {
    const part = Buffer.from(chunk as Uint8Array) // A stream of bytes.
    bytes += part.byteLength
    // Leaving the loop ends the stream: the rest is never unpacked.
    if (bytes > bytesMax) throw tooLarge(origin)
    chunks.push(part)
  }
  return Buffer.concat(chunks)
}

function unixMode(entry: Entry): number {
  return entry.versionMadeBy >> 8 === madeByUnix ? entry.externalFileAttributes >>> 16 : 0
}

function tooLarge(origin: string): HoldfastError {
  return refusal(origin, 'it unpacks to more than 16 MiB')
}

function refusal(origin: string, what: string): HoldfastError {
  return new HoldfastError(
    'E_PACKAGE_INVALID',
    `${origin} can't be read as a zip archive: ${what}`,
    {
      hint: 'pack the module again: a plain zip with conf/userconfig.xml and bin/',
    },
  )
}
