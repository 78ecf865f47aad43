/** A data plane that is killed while the kernel copies a request into its memory: the request goes to its successor. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import ava from 'ava'
import { addressOf } from '../libc.js'
import { TestPlane, shell } from '../plane.fixture.js'
import { REQUEST_BYTES } from './abi.js'
import { readyMemory } from './ready-memory.js'

const test = ava.serial
/** The program has half a minute. */
const KILLS = Math.min(40, Number(process.env['HOLDFAST_KILLS'] ?? 6))

/** What the kernel says of the piece of memory that holds this address. */
function memoryAt(address: number): { readonly size: number; rss: number; flags: string[] } {
  const pieces = readFileSync('/proc/self/smaps', 'utf8').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)
  for (const piece of pieces) {
    const [from = 0, to = 0] = (piece.split(' ', 1)[0] ?? '').split('-').map((x) => parseInt(x, 16))
    if (address < from || address >= to) continue
    const rss = Number(/^Rss: +(\d+) kB/m.exec(piece)?.[1]) * 1024
    return { size: to - from, rss, flags: (/^VmFlags: (.*)$/m.exec(piece)?.[1] ?? '').split(' ') }
  }
  throw new Error('no memory there')
}

test('every page of the memory for requests is there, and a child does not share it', (t) => {
  const memory = readyMemory(REQUEST_BYTES)
  spawnSync('true')
  const { size, rss, flags } = memoryAt(addressOf(memory))
  t.true(size >= memory.length)
  t.is(rss, size)
  // "Do not copy": a fork leaves the pages as they are.
  t.true(flags.includes('dc'), flags.join())
})

test('a data plane that serves again and again can still start programs', async (t) => {
  const plane = TestPlane.prepare('server')
  try {
    await plane.start()
    // Memory that was freed with its mark was somebody else's after 28 to 60 turns.
    for (let turn = 0; turn < 100; turn++) {
      await plane.must('serve', { generation: `g${turn}`, alone: true })
      await plane.must('unserve')
    }
    t.like(await plane.must('status'), { role: 'idle' })
  } finally {
    await plane.remove()
  }
})

test('a program that writes hears nothing of data planes that are killed one right after the other', async (t) => {
  const plane = TestPlane.prepare('server')
  const stop = join(plane.base, 'stop')
  try {
    await plane.start()
    await plane.must('serve', { generation: 'g1', alone: true })
    // Two requests each, because it begins within a page.
    const write = `dd if=/dev/zero of='${plane.directory}/f' bs=1M count=4 seek=1 oflag=seek_bytes conv=notrunc status=none`
    const writing = shell(`until [ -e '${stop}' ]; do ${write} || exit 1; done`)
    const failed = writing.then(
      () => undefined,
      (error: unknown) => String(error),
    )
    for (let kill = 0; kill < KILLS; kill++) await plane.replace()
    writeFileSync(stop, '')
    t.is(await failed, undefined)
    t.true(existsSync(join(plane.directory, 'f')))
  } finally {
    writeFileSync(stop, '')
    await plane.remove()
  }
})
