/**
 * Memory into which the kernel copies requests. When this process is killed at that very moment, the kernel finishes the copy, and gives the
 * request to a successor, only if every page is there already: a killed process gets no page any more, and the program that asked would get
 * EIO, or a write that is short. So all pages are there from the beginning, and a fork takes none of them away.
 */
import { MADV_DONTFORK, addressOf, madvise } from '../libc.js'

const PAGE_BYTES = 4096

/**
 * What was given stays: the pages are missing in children for good. When memory with this mark went back to the allocator, whoever got it next
 * would be missing in a child between fork and exec, and the child would crash.
 */
const given: Buffer[] = []

/** `size`: whole pages. To be asked for once in a process: it is never freed. */
export function readyMemory(size: number): Buffer {
  const around = Buffer.allocUnsafeSlow(size + PAGE_BYTES)
  given.push(around)
  const beyond = addressOf(around) % PAGE_BYTES
  const start = beyond === 0 ? 0 : PAGE_BYTES - beyond
  const memory = around.subarray(start, start + size)
  // Without it, the pages that a child shares for a moment would have to be made writable one by one. A kernel that refuses loses no more.
  madvise(addressOf(memory), size, MADV_DONTFORK)
  return memory.fill(0)
}
