/** For the battery: its numbers, names and sizes, and how results are written. */
import { errnoName } from './libc.js'

/** mulberry32: the same numbers on every machine. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * below)
  }
}

export const NAMES = ['a', 'b', 'c', 'dé', 'e e', '\xff\xfe', 'x'.repeat(255), 'y'.repeat(256)]
export const DIRECTORIES = ['', 'a/', 'b/', 'a/b/', 'a/c/', 'b/a/']
export const MODES = [0o644, 0o600, 0o755, 0o777, 0o4755, 0o2755, 0o6711, 0o1777, 0o2777, 0]
export const SIZES = [0, 1, 100, 4096, 5000, 65_536, 300_000, 1_100_000]

/** A result as a line of the battery's output. */
export function show(result: number): string {
  return result < 0 ? errnoName(result) : String(result)
}

/** Tells contents apart. */
export function sum(bytes: Uint8Array): number {
  let value = 1
  for (const byte of bytes) value = (Math.imul(value, 31) + byte) | 0
  return value
}

/** user::rwx, user:1000:r-x, group::r-x, mask, other::--- in the kernel's form. */
export function aclOf(mask: number): Buffer {
  const acl = Buffer.alloc(4 + 5 * 8)
  acl.writeUInt32LE(2, 0)
  const entries = [
    [1, 7, 0xffff_ffff],
    [2, 5, 1000],
    [4, 5, 0xffff_ffff],
    [16, mask, 0xffff_ffff],
    [32, 0, 0xffff_ffff],
  ] as const
  entries.forEach(([tag, permissions, id], index) => {
    acl.writeUInt16LE(tag, 4 + index * 8)
    acl.writeUInt16LE(permissions, 6 + index * 8)
    acl.writeUInt32LE(id, 8 + index * 8)
  })
  return acl
}
