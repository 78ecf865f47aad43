/** The one door to tar: reads a `.safe` archive (tar, gzip) into memory without writing anything. */
import { readFile, stat } from 'node:fs/promises'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { HoldfastError, messageOf } from '@holdfast/sdk'
import { Parser, type ReadEntry } from 'tar'
import { codeOf } from '../files/atomic.js'
import {
  assertPath,
  makePackage,
  type ModulePackage,
  packageBytesMax,
  type PackageFile,
  packageFilesMax,
} from './package.js'

/** Room for headers and padding beside the content. */
const unpackedBytesMax = packageBytesMax + packageFilesMax * 4_096

/** Throws `E_PACKAGE_INVALID` for anything but plain files and directories in safe places. */
export async function readArchive(path: string): Promise<ModulePackage> {
  const { size } = await stat(path)
  if (size > packageBytesMax) throw refusal(path, 'it is larger than 16 MiB')
  const tar = await unpacked(path)
  const files: PackageFile[] = []
  let entries = 0
  await parse(tar, path, (entry) => {
    entries += 1
    // Twice the files: directories count too, and a million empty ones would be a bomb as well.
    if (entries > 2 * packageFilesMax) throw refusal(path, 'it has too many entries')
    const name = entry.path.replace(/^(\.\/+)+/, '').replace(/\/+$/, '')
    if (entry.type === 'Directory') {
      if (name !== '' && name !== '.') assertPath(name, path)
      return undefined
    }
    if (entry.type !== 'File' && entry.type !== 'OldFile') {
      throw refusal(path, `"${entry.path}" is a ${entry.type}, only files and directories may be`)
    }
    assertPath(name, path)
    return (data) => {
      files.push({ path: name, isExecutable: ((entry.mode ?? 0) & 0o111) !== 0, data })
    }
  })
  return makePackage(files, path)
}

/** Unpacking ends at the maximum, so that a small file can't fill the memory. */
async function unpacked(path: string): Promise<Buffer> {
  const packed = await readFile(path)
  if (packed[0] !== 0x1f || packed[1] !== 0x8b) throw refusal(path, 'it is not a gzip file')
  try {
    return await promisify(gunzip)(packed, { maxOutputLength: unpackedBytesMax })
  } catch (thrown) {
    if (codeOf(thrown) === 'ERR_BUFFER_TOO_LARGE') throw refusal(path, 'it unpacks to over 16 MiB')
    throw refusal(path, `it can't be unpacked: ${messageOf(thrown)}`)
  }
}

type Receive = ((data: Buffer) => void) | undefined

async function parse(
  tar: Buffer,
  path: string,
  enter: (entry: ReadEntry) => Receive,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const parser = new Parser({ strict: true })
    parser.on('entry', (entry: ReadEntry) => {
      try {
        collect(entry, enter(entry))
      } catch (thrown) {
        reject(thrown instanceof Error ? thrown : new Error(String(thrown)))
        entry.resume()
      }
    })
    parser.on('error', (error: unknown) => {
      reject(refusal(path, messageOf(error)))
    })
    parser.on('end', resolve)
    parser.end(tar)
  })
}

function collect(entry: ReadEntry, receive: Receive): void {
  const chunks: Buffer[] = []
  entry.on('data', (chunk) => {
    chunks.push(Buffer.from(chunk))
  })
  entry.on('end', () => {
    receive?.(Buffer.concat(chunks))
  })
}

function refusal(path: string, what: string): HoldfastError {
  return new HoldfastError('E_PACKAGE_INVALID', `${path} is not a .safe archive: ${what}`, {
    hint: 'a .safe archive is a tar file packed with gzip that has conf/userconfig.xml and bin/',
  })
}
