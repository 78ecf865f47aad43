/**
 * Runs in a node: makes many small files, each with content of its own, or changes every n-th of them.
 * Usage: make-tree.js DIRECTORY FILES BYTES EVERY ROUND FILES_PER_DIRECTORY
 * File i is written when i % EVERY is 0; ROUND makes its content another one than before. Names have 20 bytes.
 */
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'

type What = 'files' | 'bytes' | 'every' | 'round' | 'perDirectory'

function makeTree(
  top: string,
  { files, bytes, every, round, perDirectory }: Record<What, number>,
): void {
  const content = Buffer.alloc(bytes, 'holdfast ')
  let directory = ''
  for (let index = 0; index < files; index += every) {
    const name = `d${String(Math.floor(index / perDirectory))}`
    if (name !== directory) mkdirSync(join(top, name), { recursive: true })
    directory = name
    content.write(`${String(index)} ${String(round)}\n`)
    const descriptor = openSync(
      join(top, name, `file-${String(index).padStart(15, '0')}`),
      'w',
      0o644,
    )
    if (writeSync(descriptor, content) !== bytes) throw new Error('a write was cut short')
    closeSync(descriptor)
  }
}

const [top = '', files, bytes, every, round, perDirectory] = process.argv.slice(2)
makeTree(top, {
  files: Number(files),
  bytes: Number(bytes),
  every: Number(every),
  round: Number(round),
  perDirectory: Number(perDirectory),
})
