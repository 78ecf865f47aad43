/** One datagram to a Unix socket, which Node can't send: the only file that imports koffi. */
import { constants } from 'node:os'
import koffi from 'koffi'

const library = koffi.load('libc.so.6')
const socket: (domain: number, type: number, protocol: number) => number = library.func(
  'int socket(int domain, int type, int protocol)',
)
const close: (fd: number) => number = library.func('int close(int fd)')
const sendto: (
  fd: number,
  bytes: Uint8Array,
  size: number,
  flags: number,
  address: Uint8Array,
  addressSize: number,
) => number = library.func(
  'long sendto(int fd, uint8_t *bytes, size_t size, int flags, uint8_t *address, uint32_t addressSize)',
)

const familyUnix = 1
const typeDatagram = 2
const closeOnExec = 0o2000000
/** A receiver that is slow must not hold the event loop; one that is gone must not send a signal. */
const flags = 0x40 | 0x4000
const pathBytesMax = 107

/** Returns undefined when it was sent, or the name of the error. */
export function sendTo(path: string, text: string): string | undefined {
  const name = Buffer.from(path.startsWith('@') ? `\0${path.slice(1)}` : path)
  if (name.length > pathBytesMax) return 'ENAMETOOLONG'
  const address = Buffer.alloc(2 + name.length)
  address.writeUInt16LE(familyUnix)
  name.copy(address, 2)
  const fd = socket(familyUnix, typeDatagram | closeOnExec, 0)
  if (fd < 0) return nameOf(koffi.errno())
  const bytes = Buffer.from(text)
  const sent = sendto(fd, bytes, bytes.length, flags, address, address.length)
  const failure = sent < 0 ? nameOf(koffi.errno()) : undefined
  close(fd)
  return failure
}

function nameOf(errno: number): string {
  const found = Object.entries(constants.errno).find(([, value]) => value === errno)
  return found?.[0] ?? `errno ${String(errno)}`
}
