/** Keys as bytes: in a frame of the journal's file, in a message to a worker, on the wire to the peer. */
import type { BytePath, KeySet } from '../resync-port.js'
import { MalformedError, Reader, Writer } from './bytes.js'
import { type Keys, VOLUMES_MAX } from './keys.js'
import { PATH_BYTES_MAX, isPath } from './path.js'

const ENTRY = 1
const ZONES = 2
const META = 3
const NAMES = 4
/** Zones of one file: 2^53 bytes in zones of 64 KiB. */
const ZONES_MAX = 2 ** 37

export function putEntry(to: Writer, volume: number, path: BytePath): void {
  to.u8(ENTRY).u8(volume).text(path)
}

export function putMeta(to: Writer, volume: number, path: BytePath): void {
  to.u8(META).u8(volume).text(path)
}

export function putNames(to: Writer, volume: number, path: BytePath): void {
  to.u8(NAMES).u8(volume).text(path)
}

export function putZones(
  to: Writer,
  volume: number,
  path: BytePath,
  first: number,
  count: number,
): void {
  to.u8(ZONES).u8(volume).text(path).uint(first).uint(count)
}

/** Adds the next key of the reader to the set. Throws MalformedError for anything that is no key. */
export function takeKey(from: Reader, keys: Keys): void {
  const kind = from.u8()
  const volume = from.u8()
  const path = from.text(PATH_BYTES_MAX)
  if (volume >= VOLUMES_MAX) throw new MalformedError(`volume ${volume} of a key`)
  if (!isPath(path)) throw new MalformedError('the path of a key is no path beneath a root')
  if (kind === ENTRY) keys.addEntry(volume, path)
  else if (kind === META) keys.addMeta(volume, path)
  else if (kind === NAMES) keys.addNames(volume, path)
  else if (kind === ZONES) takeZones(from, keys, volume, path)
  else throw new MalformedError(`${kind} is no kind of key`)
}

/** A run longer than this would only be written to exhaust the reader. */
const RUN_MAX = 2_000_000

function takeZones(from: Reader, keys: Keys, volume: number, path: BytePath): void {
  const first = from.uint()
  const count = from.uint()
  if (count < 1 || count > RUN_MAX || first + count > ZONES_MAX) {
    throw new MalformedError(`zones ${first} + ${count} of a key`)
  }
  for (let zone = first; zone < first + count; zone += 1) keys.addZone(volume, path, zone)
}

/** Calls `full` with pieces of about `pieceBytes` that hold whole keys. */
export function encodePieces(
  keys: Keys,
  pieceBytes: number,
  full: (piece: Uint8Array) => void,
): void {
  const to = new Writer(Math.min(pieceBytes, 64 * 1024))
  const check = (): void => {
    if (to.length < pieceBytes) return
    full(Uint8Array.from(to.view()))
    to.clear()
  }
  keys.visit({
    entry: (volume, path) => {
      putEntry(to, volume, path)
      check()
    },
    zones: (volume, path, zones) => {
      for (const [first, count] of zones.runs()) {
        putZones(to, volume, path, first, count)
        check()
      }
    },
    meta: (volume, path) => {
      putMeta(to, volume, path)
      check()
    },
    names: (volume, path) => {
      putNames(to, volume, path)
      check()
    },
  })
  if (to.length > 0) full(Uint8Array.from(to.view()))
}

export function encodeKeys(keys: Keys): KeySet {
  let whole: Uint8Array = new Uint8Array(0)
  encodePieces(keys, Number.MAX_SAFE_INTEGER, (piece) => (whole = piece))
  return whole
}

export function decodeInto(bytes: Uint8Array, keys: Keys): void {
  const from = new Reader(bytes)
  while (from.left > 0) takeKey(from, keys)
}
