/** TCP sockets for the loop: addresses as the kernel wants them, everything non-blocking. */
import { isIPv4, isIPv6 } from 'node:net'
import { HoldfastError } from '@holdfast/sdk'
import {
  E,
  SOCKET,
  accept4,
  bind,
  close,
  connect,
  errnoName,
  getsockname,
  getsockopt,
  listen,
  setsockopt,
  socket,
} from '../libc.js'

const IPPROTO_IP = 0
const IP_FREEBIND = 15
const IPPROTO_IPV6 = 41
const IPV6_V6ONLY = 26
const BACKLOG = 8
const CUBIC = Buffer.from('cubic', 'latin1')
const BUFFER_BYTES = 4 * 1024 * 1024

/** Listens on the address (also one that no interface has at the moment), or on all. Throws E_RFS_PORT. */
export function listenTcp(address: string | undefined, port: number): number {
  const where = address ?? (hasIpv6() ? '::' : '0.0.0.0')
  const family = isIPv4(where) ? SOCKET.INET : SOCKET.INET6
  const fd = socket(family, SOCKET.STREAM | SOCKET.NONBLOCK | SOCKET.CLOEXEC, 0)
  if (fd >= 0) {
    setFlag(fd, SOCKET.SOL_SOCKET, SOCKET.REUSEADDR, 1)
    setFlag(fd, IPPROTO_IP, IP_FREEBIND, 1)
    if (family === SOCKET.INET6)
      setFlag(fd, IPPROTO_IPV6, IPV6_V6ONLY, address === undefined ? 0 : 1)
  }
  const name = socketAddress(where, port)
  const bound = fd < 0 ? fd : bind(fd, name, name.length)
  const listening = bound < 0 ? bound : listen(fd, BACKLOG)
  if (listening >= 0) return fd
  if (fd >= 0) close(fd)
  const reason = `can't listen on ${where} port ${port}: ${errnoName(listening)}`
  throw new HoldfastError('E_RFS_PORT', reason, {
    hint: 'Another program uses this port, or the address is not one of this machine.',
  })
}

/** The kernel can be started without IPv6. */
function hasIpv6(): boolean {
  const fd = socket(SOCKET.INET6, SOCKET.STREAM | SOCKET.CLOEXEC, 0)
  if (fd >= 0) close(fd)
  return fd >= 0
}

/** The port that the kernel chose for port 0. */
export function portOf(fd: number): number {
  const name = Buffer.alloc(28)
  const size = Buffer.alloc(4)
  size.writeUInt32LE(name.length, 0)
  getsockname(fd, name, size)
  return name.readUInt16BE(2)
}

/** -errno, or the new connection. */
export function acceptTcp(listener: number): number {
  const fd = accept4(listener, 0, 0, SOCKET.NONBLOCK | SOCKET.CLOEXEC)
  if (fd >= 0) tune(fd)
  return fd
}

/** Starts to connect; it is done when the socket is writable (ask `connectError`). -errno when it can't start. */
export function dialTcp(address: string, port: number): number {
  const family = isIPv6(address) ? SOCKET.INET6 : SOCKET.INET
  const fd = socket(family, SOCKET.STREAM | SOCKET.NONBLOCK | SOCKET.CLOEXEC, 0)
  if (fd < 0) return fd
  tune(fd)
  const name = socketAddress(address, port)
  const started = connect(fd, name, name.length)
  if (started >= 0 || started === -E.INPROGRESS) return fd
  close(fd)
  return started
}

/** 0, or the errno with which connecting failed. */
export function connectError(fd: number): number {
  const value = Buffer.alloc(4)
  const size = Buffer.alloc(4)
  size.writeUInt32LE(4, 0)
  const asked = getsockopt(fd, SOCKET.SOL_SOCKET, SOCKET.ERROR, value, size)
  return asked < 0 ? -asked : value.readInt32LE(0)
}

function tune(fd: number): void {
  setFlag(fd, SOCKET.IPPROTO_TCP, SOCKET.TCP_NODELAY, 1)
  // Forced or not at all: the ordinary option would be cut to 200 KiB and would end the kernel's own tuning.
  setFlag(fd, SOCKET.SOL_SOCKET, SOCKET.SNDBUFFORCE, BUFFER_BYTES)
  setFlag(fd, SOCKET.SOL_SOCKET, SOCKET.RCVBUFFORCE, BUFFER_BYTES)
  // A machine may pace everything for the Internet (BBR); between two nodes of a LAN that only adds waiting.
  setsockopt(fd, SOCKET.IPPROTO_TCP, SOCKET.TCP_CONGESTION, CUBIC, CUBIC.length)
}

function setFlag(fd: number, level: number, name: number, value: number): void {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32LE(value, 0)
  setsockopt(fd, level, name, bytes, 4)
}

/** sockaddr_in or sockaddr_in6. Link-local addresses with a zone are not supported: LANs have routable addresses. */
function socketAddress(address: string, port: number): Buffer {
  if (isIPv4(address)) {
    const bytes = Buffer.alloc(16)
    bytes.writeUInt16LE(SOCKET.INET, 0)
    bytes.writeUInt16BE(port, 2)
    address.split('.').forEach((part, index) => bytes.writeUInt8(Number(part), 4 + index))
    return bytes
  }
  if (!isIPv6(address) || address.includes('%')) {
    throw new HoldfastError('E_RFS_ADDRESS', `"${address}" is no IPv4 or IPv6 address`)
  }
  const bytes = Buffer.alloc(28)
  bytes.writeUInt16LE(SOCKET.INET6, 0)
  bytes.writeUInt16BE(port, 2)
  ipv6Words(address).forEach((word, index) => bytes.writeUInt16BE(word, 8 + index * 2))
  return bytes
}

function ipv6Words(address: string): number[] {
  // The URL parser of the platform gives the canonical form, also of an embedded IPv4 address.
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const [before = '', after] = canonical.split('::')
  const words = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((word) => parseInt(word, 16))
  const head = words(before)
  if (after === undefined) return head
  const tail = words(after)
  return [...head, ...new Array<number>(8 - head.length - tail.length).fill(0), ...tail]
}
