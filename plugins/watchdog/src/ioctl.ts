/** The two questions that a watchdog device answers beyond being written to: the only file that imports koffi. */
import koffi from 'koffi'

const library = koffi.load('libc.so.6')
// The third argument of these requests is always a pointer, so the variadic function is declared as what is called.
const ioctl: (fd: number, request: number, argument: Uint8Array) => number = library.func(
  'int ioctl(int fd, unsigned long request, uint8_t *argument)',
)

/** `struct watchdog_info`: options and firmware version, four bytes each, then the name. */
const infoBytes = 40
const nameAt = 8
/** From linux/watchdog.h: _IOR('W', 0, struct watchdog_info) and _IOWR('W', 6, int). */
const getSupport = 0x8028_5700
const setTimeoutRequest = 0xc004_5706

/** The name of the device, or undefined when the descriptor is no watchdog's. */
export function identityOf(fd: number): string | undefined {
  const info = Buffer.alloc(infoBytes)
  if (ioctl(fd, getSupport, info) !== 0) return undefined
  const end = info.indexOf(0, nameAt)
  return info.toString('latin1', nameAt, end === -1 ? infoBytes : end)
}

/** Returns the time-out that is in force now: what was asked for, or the nearest that the device can; undefined: none. */
export function setTimeoutSeconds(fd: number, seconds: number): number | undefined {
  const value = Buffer.alloc(4)
  value.writeInt32LE(seconds)
  return ioctl(fd, setTimeoutRequest, value) === 0 ? value.readInt32LE() : undefined
}
