/**
 * Runs in a node: creates files of 4 KiB (open, write, close) with one thread, and prints what that took as JSON.
 * Usage: create-files.js DIRECTORY SECONDS
 */
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { percentile } from '../statistics.js'

const fileBytes = 4096
/** Also what one directory gets; a file system that could make more in the time gets less time. */
const filesMax = 200_000

function createFiles(directory: string, seconds: number): void {
  mkdirSync(directory)
  const content = Buffer.alloc(fileBytes, 'holdfast')
  const durationsNs = new Float64Array(filesMax)
  const start = process.hrtime.bigint()
  const deadline = start + BigInt(seconds) * 1_000_000_000n
  let files = 0
  let now = start
  while (now < deadline && files < filesMax) {
    const descriptor = openSync(join(directory, `file-${files}`), 'wx', 0o644)
    if (writeSync(descriptor, content) !== fileBytes) throw new Error('a write was cut short')
    closeSync(descriptor)
    const done = process.hrtime.bigint()
    durationsNs[files++] = Number(done - now)
    now = done
  }
  const durations = durationsNs.subarray(0, files)
  const p50us = percentile(durations, 50) / 1_000
  const p99us = percentile(durations, 99) / 1_000
  const value = files / (Number(now - start) / 1e9)
  process.stdout.write(`${JSON.stringify({ value, operations: files, p50us, p99us })}\n`)
}

const [directory = '', seconds = ''] = process.argv.slice(2)
createFiles(directory, Number(seconds))
