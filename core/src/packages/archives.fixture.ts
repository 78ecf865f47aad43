/** For tests: tar and zip files as somebody hostile would write them, checked by no tool. */
import { crc32, deflateRawSync } from 'node:zlib'

export interface TarEntry {
  readonly name: string
  readonly data?: string
  readonly type?: string
  readonly link?: string
  /** What the header says, when it is not the truth. */
  readonly size?: number
  readonly mode?: number
}

export function tarOf(entries: readonly TarEntry[]): Buffer {
  const blocks = entries.flatMap(
    ({ name, data = '', type = '0', link = '', size, mode = 0o644 }) => {
      const header = Buffer.alloc(512)
      header.write(name, 0, 100)
      header.write(`${mode.toString(8).padStart(7, '0')}\0`, 100)
      header.write('0000000\0', 108)
      header.write('0000000\0', 116)
      header.write(`${(size ?? data.length).toString(8).padStart(11, '0')}\0`, 124)
      header.write('00000000000\0', 136)
      header.write('        ', 148)
      header.write(type, 156)
      header.write(link, 157, 100)
      header.write('ustar\x0000', 257)
      const sum = header.reduce((total, byte) => total + byte, 0)
      header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
      const body = Buffer.alloc(Math.ceil(data.length / 512) * 512)
      body.write(data)
      return [header, body]
    },
  )
  return Buffer.concat([...blocks, Buffer.alloc(1_024)])
}

export interface ZipEntry {
  readonly name: string
  readonly data?: string | Buffer
  /** Unix mode with the type of the file; 0: made on a system that has none. */
  readonly mode?: number
  readonly flags?: number
  /** What the directory says, when it is not the truth. */
  readonly size?: number
  readonly method?: number
}

const regular = 0o100644

export function zipOf(entries: readonly ZipEntry[], claimedEntries?: number): Buffer {
  const locals: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const entry of entries) {
    const { local, central } = partsOf(entry, offset)
    locals.push(local)
    directory.push(central)
    offset += local.byteLength
  }
  const central = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(claimedEntries ?? entries.length, 8)
  end.writeUInt16LE(claimedEntries ?? entries.length, 10)
  end.writeUInt32LE(central.byteLength, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...locals, central, end])
}

function partsOf(entry: ZipEntry, offset: number): { local: Buffer; central: Buffer } {
  const { name, data = '', mode = regular, flags = 0x800, method = 8 } = entry
  const content = Buffer.from(data)
  const packed = method === 8 ? deflateRawSync(content) : content
  const size = entry.size ?? content.byteLength
  const path = Buffer.from(name)
  const local = Buffer.alloc(30)
  local.writeUInt32LE(0x04034b50, 0)
  const central = Buffer.alloc(46)
  central.writeUInt32LE(0x02014b50, 0)
  central.writeUInt16LE(mode === 0 ? 20 : (3 << 8) | 20, 4)
  for (const [header, at] of [
    [local, 4],
    [central, 6],
  ] as const) {
    header.writeUInt16LE(20, at)
    header.writeUInt16LE(flags, at + 2)
    header.writeUInt16LE(method, at + 4)
    header.writeUInt32LE(crc32(content), at + 10)
    header.writeUInt32LE(packed.byteLength, at + 14)
    header.writeUInt32LE(size, at + 18)
    header.writeUInt16LE(path.byteLength, at + 22)
  }
  central.writeUInt32LE((mode << 16) >>> 0, 38)
  central.writeUInt32LE(offset, 42)
  return { local: Buffer.concat([local, path, packed]), central: Buffer.concat([central, path]) }
}
