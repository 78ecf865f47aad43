/**
 * The one door to tar: `.safe` archives (tar, gzip) from memory to bytes and back. Reading writes nothing, and takes
 * nothing but plain files in safe places that the archive's own list names.
 */
import { readFile, stat } from 'node:fs/promises'
import { promisify } from 'node:util'
import { constants, gunzip, gzip } from 'node:zlib'
import { HoldfastError, messageOf } from '@holdfast/sdk'
import { Header, Parser, type ReadEntry } from 'tar'
import { codeOf } from '../files/atomic.js'
import { checkList, listName, listOf, reservedNames, signatureName } from './listing.js'
import { manifestName } from './manifest.js'
import {
  assertPath,
  makePackage,
  type ModulePackage,
  packageBytesMax,
  type PackageFile,
  packageFilesMax,
} from './package.js'

/** Room for headers, padding and the list beside the content. */
const unpackedBytesMax = packageBytesMax + packageFilesMax * 4_096
/** Extended headers hold a long name at most. */
const headerBytesMax = 16 * 1024
/** Text packs to a tenth; what packs to a thousandth was made to fill memory. */
const ratioMax = 200
const ratioAppliesFromBytes = 1024 * 1024
const blockBytes = 512

/** A kind of archive begins with the file that says what it is, and has one that it can't be without. */
export interface ArchiveKind {
  readonly first: string
  readonly required: string
}

const moduleArchive: ArchiveKind = { first: manifestName, required: 'conf/userconfig.xml' }
export const pluginArchive: ArchiveKind = { first: 'plugin.json', required: 'plugin.json' }

export interface Archive {
  readonly package: ModulePackage
  /** The bytes that a signature is over. */
  readonly list: Buffer
  /** Not verified: it is what the archive says. */
  readonly signature: string | undefined
}

/** Throws `E_PACKAGE_INVALID` for anything but an archive of this format that is what its list says. */
export async function readArchive(path: string): Promise<Archive> {
  const { size } = await stat(path)
  if (size > packageBytesMax) throw refusal(path, 'it is larger than 16 MiB')
  return await parseArchive(await readFile(path), path)
}

/** `origin` is named in errors. */
export async function parseArchive(
  packed: Buffer,
  origin: string,
  kind = moduleArchive,
): Promise<Archive> {
  const entries = await entriesOf(await unpacked(packed, origin), origin)
  const [first, second, third] = entries
  if (first?.path !== kind.first || second?.path !== listName) {
    throw refusal(origin, `it does not begin with ${kind.first} and ${listName}`)
  }
  const signed = third?.path === signatureName ? third : undefined
  const files = entries.filter((entry) => entry !== second && entry !== signed)
  const again = files.find(({ path }) => reservedNames.includes(path))
  if (again !== undefined) throw refusal(origin, `"${again.path}" is twice in it, or too late`)
  const sources = makePackage(files, origin, kind.required)
  checkList(second.data, sources.files, origin)
  return { package: sources, list: second.data, signature: signed?.data.toString('latin1') }
}

/** The same package gives the same bytes: no times, no owners, one order. */
export async function makeArchive(
  sources: ModulePackage,
  sign: ((list: Buffer) => string) | undefined,
  kind = moduleArchive,
): Promise<Buffer> {
  const manifest = sources.files.find(({ path }) => path === kind.first)
  if (manifest === undefined) throw refusal('the package', `${kind.first} is missing`)
  const list = Buffer.from(listOf(sources.files))
  const text = (path: string, data: Buffer): PackageFile => ({ path, isExecutable: false, data })
  const signature = sign === undefined ? [] : [text(signatureName, Buffer.from(sign(list)))]
  const rest = sources.files.filter((file) => file !== manifest)
  const entries = [manifest, text(listName, list), ...signature, ...rest]
  const end = Buffer.alloc(1_024)
  const packed = await promisify(gzip)(Buffer.concat([...entries.map(entryBytes), end]), {
    level: constants.Z_BEST_COMPRESSION,
  })
  // The byte that names the operating system: it says nothing here, and would differ.
  packed[9] = 0xff
  return packed
}

function entryBytes({ path, isExecutable, data }: PackageFile): Buffer {
  const header = new Header({
    path,
    mode: isExecutable ? 0o755 : 0o644,
    ...{ uid: 0, gid: 0, uname: '', gname: '' },
    size: data.byteLength,
    mtime: new Date(0),
    type: 'File',
  })
  const block = Buffer.alloc(512)
  // A name that needs an extended header: split at a slash it must fit into 155 and 100 bytes.
  if (header.encode(block)) throw refusal('the package', `the path "${path}" is too long`)
  return Buffer.concat([block, data, Buffer.alloc((512 - (data.byteLength % 512)) % 512)])
}

/** Unpacking ends at the maximum, so that a small file can't fill the memory. */
async function unpacked(packed: Buffer, origin: string): Promise<Buffer> {
  if (packed[0] !== 0x1f || packed[1] !== 0x8b) throw refusal(origin, 'it is not a gzip file')
  const byRatio = Math.max(ratioAppliesFromBytes, packed.byteLength * ratioMax)
  try {
    return await promisify(gunzip)(packed, { maxOutputLength: Math.min(unpackedBytesMax, byRatio) })
  } catch (thrown) {
    if (codeOf(thrown) === 'ERR_BUFFER_TOO_LARGE') {
      const limits = `16 MiB, or ${ratioMax} times its size`
      throw refusal(origin, `it unpacks to more than ${limits}`)
    }
    throw refusal(origin, `it can't be unpacked: ${messageOf(thrown)}`)
  }
}

/** All files in the order of the archive. */
async function entriesOf(tar: Buffer, origin: string): Promise<readonly PackageFile[]> {
  const files: PackageFile[] = []
  let entries = 0
  let bytes = 0
  await parse(tar, origin, (entry) => {
    entries += 1
    bytes += blockBytes + entry.startBlockSize
    // Twice the files: directories count too, and a million empty ones would be a bomb as well.
    if (entries > 2 * packageFilesMax) throw refusal(origin, 'it has too many entries')
    const name = entry.path.replace(/^(\.\/+)+/, '').replace(/\/+$/, '')
    if (entry.type === 'Directory') {
      if (name !== '' && name !== '.') assertPath(name, origin)
      return undefined
    }
    if (entry.type !== 'File' && entry.type !== 'OldFile') {
      throw refusal(origin, `"${entry.path}" is a ${entry.type}, only files and directories may be`)
    }
    assertPath(name, origin)
    return (data) => {
      files.push({ path: name, isExecutable: ((entry.mode ?? 0) & 0o111) !== 0, data })
    }
  })
  // Two empty blocks end it. Other tools read on, and would see what nobody signed.
  const end = tar.subarray(bytes)
  if (end.byteLength < 2 * blockBytes || end.some((byte) => byte !== 0)) {
    throw refusal(origin, 'it does not end where its last file ends')
  }
  return files
}

type Receive = ((data: Buffer) => void) | undefined

async function parse(
  tar: Buffer,
  origin: string,
  enter: (entry: ReadEntry) => Receive,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const parser = new Parser({ strict: true, maxMetaEntrySize: headerBytesMax })
    parser.on('entry', (entry: ReadEntry) => {
      try {
        collect(entry, enter(entry))
      } catch (thrown) {
        reject(thrown instanceof Error ? thrown : new Error(String(thrown)))
        entry.resume()
      }
    })
    // What is larger than allowed is skipped by the parser with this event only.
    parser.on('ignoredEntry', (entry: ReadEntry) => {
      reject(refusal(origin, `it has a ${entry.type} entry of ${entry.size} bytes`))
    })
    // Names, sizes and links that stand elsewhere: each tool believes others of them, and we write none.
    parser.on('meta', () => {
      reject(refusal(origin, 'it has an extended header'))
    })
    parser.on('error', (error: unknown) => {
      reject(refusal(origin, messageOf(error)))
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

function refusal(origin: string, what: string): HoldfastError {
  return new HoldfastError(
    'E_PACKAGE_INVALID',
    `${origin} is not a .safe or .hfp archive: ${what}`,
    {
      hint: 'make one with "holdfast module package DIR" or "holdfast-plugin pack DIR", or get it again from where it was published',
    },
  )
}
