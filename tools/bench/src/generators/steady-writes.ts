/**
 * Runs in a node: an application that writes 4 KiB every two milliseconds at random places of its file until a file named
 * END appears, and prints how long each write took, as JSON.
 * Usage: steady-writes.js FILE END
 */
import { closeSync, existsSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { percentile } from '../statistics.js'

const writeBytes = 4_096
const fileBytes = 64 * 1024 * 1024
const pauseMs = 2
const writesMax = 2_000_000
/** How often it is looked whether to end. */
const looksEvery = 50

async function write(file: string, end: string): Promise<void> {
  const content = Buffer.alloc(writeBytes, 'application')
  const descriptor = openSync(file, 'a+')
  ftruncateSync(descriptor, fileBytes)
  closeSync(descriptor)
  const target = openSync(file, 'r+')
  const durationsNs = new Float64Array(writesMax)
  let writes = 0
  while (writes < writesMax && (writes % looksEvery !== 0 || !existsSync(end))) {
    const place = Math.floor(Math.random() * (fileBytes / writeBytes)) * writeBytes
    const start = process.hrtime.bigint()
    writeSync(target, content, 0, writeBytes, place)
    durationsNs[writes++] = Number(process.hrtime.bigint() - start)
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
  closeSync(target)
  const durations = durationsNs.subarray(0, writes)
  const [p50us, p99us, maxUs] = [50, 99, 100].map((one) => percentile(durations, one) / 1_000)
  process.stdout.write(`${JSON.stringify({ writes, p50us, p99us, maxUs })}\n`)
}

const [file = '', end = ''] = process.argv.slice(2)
await write(file, end)
