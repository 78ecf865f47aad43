/** Reading a tree that changes meanwhile. */
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { namesOf } from './tree.js'

test('a directory that is removed while it is listed has no more names, and that is no failure', (t) => {
  const directory = fs.mkdtempSync(join(tmpdir(), `rfs-tree-${process.pid}-`))
  fs.writeFileSync(join(directory, 'one'), '')
  const fd = fs.openSync(directory, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY)
  t.teardown(() => fs.closeSync(fd))
  const names = namesOf(fd, 'd')
  t.like(names.next(), { value: { name: 'one' } })
  fs.rmSync(directory, { recursive: true })
  t.deepEqual(names.next(), { done: true, value: undefined })
})
