/**
 * The nodes of a cluster as a registry of each other: every node tells which archives it has, and sends them in
 * pieces, so that a cluster without internet installs from itself. Members trust each other with far more than this.
 */
import { open } from 'node:fs/promises'
import { type Cancel, HoldfastError, type Peers } from '@holdfast/sdk'
import type { Offer } from './choose.js'
import type { Expected, Source } from './download.js'
import { archiveBytesMax, checked, type Stock, stockProperties } from './format.js'

const pieceBytes = 384 * 1024
const questionTimeoutMs = 10_000
/** Messages between nodes hold 1 MiB: what does not fit is left out. */
const entriesMax = 250

export interface PeerArchives {
  /** Only what is here, as a file. */
  stock(): Promise<Stock>
  /** The file with this content; undefined: it is not here. */
  path(sha256: string): Promise<string | undefined>
}

type Question =
  | { readonly kind: 'stock' }
  | { readonly kind: 'piece'; readonly sha256: string; readonly offset: number }

const sha256 = { type: 'string', pattern: '^[0-9a-f]{64}$' }
const questionSchema = {
  oneOf: [
    {
      type: 'object',
      additionalProperties: false,
      required: ['kind'],
      properties: { kind: { const: 'stock' } },
    },
    {
      type: 'object',
      additionalProperties: false,
      required: ['kind', 'sha256', 'offset'],
      properties: {
        kind: { const: 'piece' },
        sha256,
        offset: { type: 'integer', minimum: 0, maximum: archiveBytesMax },
      },
    },
  ],
}
const stockSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['modules', 'plugins'],
  properties: stockProperties,
}
const nothing: Stock = { modules: [], plugins: [] }
const pieceSchema = {
  type: 'object',
  required: ['data'],
  properties: { data: { type: 'string', maxLength: 2 * pieceBytes } },
}

export function serveArchives(peers: Peers, archives: PeerArchives): Cancel {
  return peers.onCall(async (node, message) => {
    const question = checked<Question>(questionSchema, JSON.stringify(message), node)
    if (question.kind === 'stock') {
      const { modules, plugins } = await archives.stock()
      return { modules: modules.slice(0, entriesMax), plugins: plugins.slice(0, entriesMax) }
    }
    const path = await archives.path(question.sha256)
    if (path === undefined) throw gone()
    return { data: (await piece(path, question.offset)).toString('base64') }
  })
}

/** What the other nodes have; one that is away has nothing. */
export async function askPeers(peers: Peers): Promise<readonly Offer[]> {
  const connected = peers.others.filter((node) => peers.state(node).connected)
  return await Promise.all(
    connected.map(async (node) => {
      try {
        const answer = await peers.call(node, { kind: 'stock' }, questionTimeoutMs)
        const stock = checked<Stock>(stockSchema, JSON.stringify(answer), node)
        return { source: node, ...stock }
      } catch (thrown) {
        if (!(thrown instanceof HoldfastError)) throw thrown
        return { source: node, ...nothing }
      }
    }),
  )
}

export function peerSource(peers: Peers, node: string, expected: Expected): Source {
  return (offset, signal) =>
    Promise.resolve({ offset, chunks: pieces(peers, node, expected, offset, signal) })
}

async function* pieces(
  peers: Peers,
  node: string,
  { sha256: digest, bytes }: Expected,
  from: number,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  for (let offset = from; offset < bytes;) {
    signal.throwIfAborted()
    const question: Question = { kind: 'piece', sha256: digest, offset }
    const answer = await peers.call(node, question, questionTimeoutMs)
    const { data } = checked<{ data: string }>(pieceSchema, JSON.stringify(answer), node)
    const chunk = Buffer.from(data, 'base64')
    if (chunk.byteLength === 0) throw gone()
    offset += chunk.byteLength
    yield chunk
  }
}

async function piece(path: string, offset: number): Promise<Buffer> {
  const handle = await open(path, 'r')
  try {
    const buffer = Buffer.alloc(pieceBytes)
    const { bytesRead } = await handle.read(buffer, 0, pieceBytes, offset)
    return buffer.subarray(0, bytesRead)
  } finally {
    await handle.close()
  }
}

function gone(): HoldfastError {
  return new HoldfastError('E_REGISTRY_UNREACHABLE', 'the other node does not have this archive', {
    hint: 'ask again: holdfast registry search',
  })
}
