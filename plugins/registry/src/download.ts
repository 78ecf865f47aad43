/**
 * Brings one archive from an address into the store of this node: in pieces that a broken connection does not lose,
 * never more than announced, and nothing is called by its name before its SHA-256 is the one of the index.
 */
import { createHash } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { HoldfastError, messageOf } from '@holdfast/sdk'
import { archiveBytesMax } from './format.js'

const attemptsMax = 5
/** Of one read; a source that sends nothing for so long is as good as gone. */
const silenceMsMax = 30_000
/** Half downloads of the past. */
const partsMax = 16

export interface Expected {
  readonly sha256: string
  readonly bytes: number
}

/** Bytes from `offset` on. A source that can't begin there answers from 0 and says so. */
export type Source = (
  offset: number,
  signal: AbortSignal,
) => Promise<{ readonly offset: number; readonly chunks: AsyncIterable<Uint8Array> }>

export class ArchiveStore {
  constructor(private readonly directory: string) {}

  path(sha256: string): string {
    return join(this.directory, `${sha256}.archive`)
  }

  async open(): Promise<void> {
    await mkdir(this.directory, { recursive: true, mode: 0o755 })
  }

  async has({ sha256, bytes }: Expected): Promise<boolean> {
    return (await sizeOf(this.path(sha256))) === bytes
  }

  /** Returns the path of the archive. `onBytes` hears how many are there. */
  async bring(
    expected: Expected,
    source: Source,
    signal: AbortSignal,
    onBytes: (bytes: number) => void,
  ): Promise<string> {
    await this.open()
    const path = this.path(expected.sha256)
    if (await this.has(expected)) return path
    await this.forgetOldParts(expected.sha256)
    const part = `${path}.part`
    for (let attempt = 1; ; attempt += 1) {
      try {
        await append(part, expected, source, signal, onBytes)
        break
      } catch (thrown) {
        if (thrown instanceof HoldfastError || signal.aborted || attempt === attemptsMax) {
          throw lost(thrown)
        }
      }
    }
    await this.accept(part, expected)
    return path
  }

  private async accept(part: string, { sha256 }: Expected): Promise<void> {
    const found = createHash('sha256')
      .update(await readFile(part))
      .digest('hex')
    if (found !== sha256) {
      await rm(part, { force: true })
      throw new HoldfastError(
        'E_REGISTRY_HASH',
        `the archive is not the one of the index: its SHA-256 is ${found}, not ${sha256}`,
        { hint: 'nothing was kept; the server or something on the way changed it' },
      )
    }
    const path = this.path(sha256)
    await rename(part, path)
    const handle = await open(dirname(path), 'r')
    await handle.sync().finally(() => handle.close())
  }

  private async forgetOldParts(sha256: string): Promise<void> {
    const names = (await readdir(this.directory)).filter((name) => name.endsWith('.part')).sort()
    const others = names.filter((name) => !name.startsWith(sha256))
    for (const name of others.slice(partsMax)) await rm(join(this.directory, name), { force: true })
  }
}

async function append(
  part: string,
  { bytes }: Expected,
  source: Source,
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const present = (await sizeOf(part)) ?? 0
  if (present === bytes) return
  const handle = await open(part, present === 0 || present > bytes ? 'w' : 'r+', 0o600)
  const silence = new Silence(signal)
  try {
    const { offset, chunks } = await source(present > bytes ? 0 : present, silence.signal)
    let at = offset
    for await (const chunk of chunks) {
      silence.broken()
      if (at + chunk.byteLength > bytes) throw tooLong(bytes)
      await handle.write(chunk, 0, chunk.byteLength, at)
      at += chunk.byteLength
      onBytes(at)
    }
    if (at < bytes) throw new Error(`the connection ended after ${at} of ${bytes} bytes`)
    await handle.truncate(bytes)
    await handle.sync()
  } finally {
    silence.end()
    await handle.close()
  }
}

/** Ends a transfer that goes on without bringing anything. */
class Silence {
  private readonly controller = new AbortController()
  private timer: NodeJS.Timeout | undefined
  readonly signal: AbortSignal

  constructor(outer: AbortSignal) {
    this.signal = AbortSignal.any([outer, this.controller.signal])
    this.broken()
  }

  /** Something came. */
  broken(): void {
    this.end()
    this.timer = setTimeout(() => {
      this.controller.abort(new Error('nothing came for 30 seconds'))
    }, silenceMsMax)
  }

  end(): void {
    clearTimeout(this.timer)
  }
}

/** An archive or an index behind `http:`, `https:` or `file:`. */
export function addressSource(address: URL): Source {
  return address.protocol === 'file:' ? fileSource(address) : webSource(address)
}

function webSource(address: URL): Source {
  return async (offset, signal) => {
    const headers = offset === 0 ? {} : { range: `bytes=${offset}-` }
    const response = await fetch(address, { headers, signal, redirect: 'follow' })
    if (response.status === 416)
      return { offset: 0, chunks: bodyOf(await fetch(address, { signal })) }
    if (!response.ok) throw refused(address, `it answers ${response.status}`)
    const continued = response.headers.get('content-range')?.startsWith(`bytes ${offset}-`) === true
    return { offset: response.status === 206 && continued ? offset : 0, chunks: bodyOf(response) }
  }
}

function bodyOf(response: Response): AsyncIterable<Uint8Array> {
  if (response.body === null) throw new Error('the answer has no body')
  return response.body
}

function fileSource(address: URL): Source {
  return async () => {
    const { size } = await stat(address).catch((thrown: unknown) => {
      throw refused(address, messageOf(thrown))
    })
    if (size > archiveBytesMax) throw tooLong(archiveBytesMax)
    const data = await readFile(address)
    return { offset: 0, chunks: once(data) }
  }
}

// eslint-disable-next-line @typescript-eslint/require-await -- a stream of one piece
async function* once(data: Uint8Array): AsyncIterable<Uint8Array> {
  yield data
}

/** A small file, at most `bytesMax`. */
export async function readBytes(
  address: URL,
  bytesMax: number,
  signal: AbortSignal,
): Promise<Buffer> {
  try {
    const { chunks } = await addressSource(address)(0, signal)
    const parts: Uint8Array[] = []
    let bytes = 0
    for await (const chunk of chunks) {
      bytes += chunk.byteLength
      if (bytes > bytesMax) throw tooLong(bytesMax)
      parts.push(chunk)
    }
    return Buffer.concat(parts)
  } catch (thrown) {
    throw lost(thrown)
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return undefined
    throw thrown
  }
}

function tooLong(bytes: number): HoldfastError {
  return new HoldfastError('E_REGISTRY_SIZE', `the source sends more than ${bytes} bytes`, {
    hint: 'nothing was kept; tell whoever publishes the registry',
  })
}

function refused(address: URL, what: string): HoldfastError {
  return new HoldfastError('E_REGISTRY_UNREACHABLE', `${address.href}: ${what}`, {
    hint: 'look at the address of the registry: holdfast registry list',
  })
}

/** Errors of the network have no class of their own: each means that this source is not there now. */
function lost(thrown: unknown): HoldfastError {
  if (thrown instanceof HoldfastError) return thrown
  const cause = thrown instanceof Error ? thrown.cause : undefined
  const why = cause === undefined ? messageOf(thrown) : `${messageOf(thrown)}: ${messageOf(cause)}`
  return new HoldfastError('E_REGISTRY_UNREACHABLE', `the source broke off: ${why}`, {
    hint: 'repeat the order: what has arrived is kept, and the rest is asked for',
    cause: thrown,
  })
}
