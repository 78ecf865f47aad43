/** State files: old or new, never half; damaged and newer ones are refused. */
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HoldfastError } from '@holdfast/sdk'
import test from 'ava'
import { readIfExists, removeFile, writeFileAtomic } from './atomic.js'
import { directoriesFrom } from './directories.js'
import { readVersioned, writeVersioned } from './versioned.js'

const format = { format: 'example', version: 2 }

async function inDirectory(act: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-files-'))
  try {
    await act(directory)
  } finally {
    await rm(directory, { recursive: true })
  }
}

test('a write replaces the content and the mode, and leaves no temporary file', async (t) => {
  await inDirectory(async (directory) => {
    const path = join(directory, 'key')
    await writeFileAtomic(path, 'one', 0o644)
    await writeFileAtomic(path, 'two', 0o600)
    t.is(await readFile(path, 'utf8'), 'two')
    t.is((await stat(path)).mode & 0o777, 0o600)
    t.deepEqual(await readdir(directory), ['key'])
  })
})

test('a write that fails leaves the old version and no temporary file', async (t) => {
  await inDirectory(async (directory) => {
    await t.throwsAsync(writeFileAtomic(join(directory, 'none', 'file'), 'x', 0o600))
    const target = join(directory, 'taken')
    await writeFileAtomic(join(directory, 'other'), 'x', 0o600)
    await import('node:fs/promises').then((fs) => fs.mkdir(target))
    await t.throwsAsync(writeFileAtomic(target, 'x', 0o600)) // A file can't replace a directory.
    t.deepEqual((await readdir(directory)).sort(), ['other', 'taken'])
  })
})

test('what a crash left between two steps is never read', async (t) => {
  await inDirectory(async (directory) => {
    const path = join(directory, 'state.json')
    await writeVersioned(path, format, { n: 1 })
    await writeFile(join(directory, '.state.json.1-abcd.tmp'), '{"format":"exam')
    t.deepEqual(await readVersioned(path, format), { n: 1 })
  })
})

test('removing is quiet when there is nothing, and final when there is', async (t) => {
  await inDirectory(async (directory) => {
    const path = join(directory, 'file')
    await removeFile(path)
    await writeFileAtomic(path, 'x', 0o600)
    await removeFile(path)
    t.is(await readIfExists(path), undefined)
  })
})

const damaged: readonly [string, string][] = [
  ['half a file', '{"format":"example","version":2,"bo'],
  ['another format', '{"format":"other","version":2,"body":1}'],
  ['no version', '{"format":"example","body":1}'],
  ['no body', '{"format":"example","version":2}'],
  ['no object', '[]'],
  ['an empty file', ''],
]

for (const [what, text] of damaged) {
  test(`a state file that holds ${what} is refused and kept`, async (t) => {
    await inDirectory(async (directory) => {
      const path = join(directory, 'state.json')
      await writeFile(path, text)
      const error = await t.throwsAsync(readVersioned(path, format), { instanceOf: HoldfastError })
      t.is(error.code, 'E_STATE_DAMAGED')
      t.is(await readFile(path, 'utf8'), text)
    })
  })
}

test('an older version is read, a newer one is refused', async (t) => {
  await inDirectory(async (directory) => {
    const path = join(directory, 'state.json')
    await writeVersioned(path, { ...format, version: 1 }, 'old')
    t.is(await readVersioned(path, format), 'old')
    await writeVersioned(path, { ...format, version: 3 }, 'new')
    const error = await t.throwsAsync(readVersioned(path, format), { instanceOf: HoldfastError })
    t.is(error.code, 'E_STATE_NEWER')
  })
})

test('one environment variable moves all directories', (t) => {
  t.is(directoriesFrom({}).etc, '/etc/holdfast')
  t.deepEqual(directoriesFrom({ HOLDFAST_ROOT: '/n1' }), {
    etc: '/n1/etc/holdfast',
    lib: '/n1/var/lib/holdfast',
    run: '/n1/run/holdfast',
  })
})
