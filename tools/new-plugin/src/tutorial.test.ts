/** What docs/PLUGINS.md tells people to do, done: the code there is the code here. */
import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { parseArchive, pluginArchive } from '@holdfast/core'
import test, { type ExecutionContext } from 'ava'
import { checkContract } from './contract/index.js'

const run = promisify(execFile)
const program = fileURLToPath(new URL('main.js', import.meta.url))
const document = new URL('../../../docs/PLUGINS.md', import.meta.url)

async function project(t: ExecutionContext, name: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'hf-new-'))
  t.teardown(() => rm(directory, { recursive: true }))
  await run(process.execPath, [program, 'new', name, join(directory, 'project')])
  return join(directory, 'project')
}

async function npm(directory: string, script: string): Promise<string> {
  const { stdout } = await run('npm', ['run', '--silent', script], { cwd: directory })
  return stdout
}

test('a new project builds, keeps the contract and packs at once, the same bytes each time', async (t) => {
  const directory = await project(t, 'thing')
  const out = await npm(directory, 'test')
  t.regex(out, /# pass 1\n/)
  t.notRegex(out, /BROKEN/)
  const path = (await npm(directory, 'pack')).trim()
  const first = await readFile(path)
  t.deepEqual(await readFile((await npm(directory, 'pack')).trim()), first)
  const { package: packed } = await parseArchive(first, path, pluginArchive)
  t.deepEqual(
    packed.files.map((file) => file.path),
    ['README.md', 'dist/index.js', 'package.json', 'plugin.json'],
  )
})

test('the Redis checker of the tutorial has at most 40 lines, keeps the contract, and knows a Redis', async (t) => {
  const text = await readFile(document, 'utf8')
  const code = /<!-- tutorial:[^>]*-->\s+```ts\n(.*?)```/s.exec(text)?.[1] ?? ''
  t.true(code.trim().split('\n').length <= 40)
  const directory = await project(t, 'redis')
  await writeFile(join(directory, 'src/index.ts'), code)
  const testFile = join(directory, 'src/index.test.ts')
  const written = await readFile(testFile, 'utf8')
  const told = "socket.on('data', () => socket.end('+PONG\\r\\n'))"
  t.true(text.includes(told))
  await writeFile(testFile, written.replace('socket.end()', told))
  const out = await npm(directory, 'test')
  t.regex(out, /# pass 1\n/)
  t.notRegex(out, /BROKEN/)
})

test('a key that is made signs an archive, and no key is overwritten', async (t) => {
  const directory = await project(t, 'thing')
  await npm(directory, 'build')
  await run(process.execPath, [program, 'keygen', 'acme'], { cwd: directory })
  await t.throwsAsync(run(process.execPath, [program, 'keygen', 'acme'], { cwd: directory }))
  const { stdout } = await run(process.execPath, [program, 'pack', '.', '--key', 'acme.key'], {
    cwd: directory,
  })
  const { signature } = await parseArchive(await readFile(stdout.trim()), 'test', pluginArchive)
  t.regex(signature ?? '', /^holdfast-ed25519 [0-9a-f]{16} /)
})

test('the contract suite finds a plugin that leaves a timer, describes nothing or does not start', async (t) => {
  const directory = await project(t, 'thing')
  await npm(directory, 'build')
  const broken = async (edit: (directory: string) => Promise<void>): Promise<readonly string[]> => {
    const copy = `${directory}-${String(Math.random()).slice(2)}`
    await cp(directory, copy, { recursive: true })
    await edit(copy)
    const results = await checkContract(copy)
    return results.filter((one) => one.broken !== undefined).map((one) => one.sentence)
  }
  const replace = (file: string, from: string, to: string) => async (copy: string) => {
    const path = join(copy, file)
    const text = await readFile(path, 'utf8')
    t.true(text.includes(from), `${file} has ${from}`)
    await writeFile(path, text.replace(from, to))
  }
  const code = 'dist/index.js'
  const loop = 'for (const {'
  t.deepEqual(await broken(replace(code, loop, `clock.every(1000, () => {});${loop}`)), [
    'a second after it was stopped, no timer and no handler of it is left',
    'each of its checkers starts and stops, and reports nothing afterwards',
    'a store that fails lets it start or fail in time, and nothing of it is left',
  ])
  t.true(
    (await broken(replace(code, loop, `throw new Error('boom');${loop}`))).includes(
      'it starts with its configuration, and gives only what its manifest says',
    ),
  )
  t.deepEqual(await broken(replace('plugin.json', '"description": "Its port."', '"title": "x"')), [
    'each of its settings is described',
  ])
  t.deepEqual(await broken(replace('plugin.json', '"version": "1.0.0"', '"version": "one"')), [
    'its manifest is valid, and its entry is there',
  ])
  t.deepEqual(await broken((copy) => rm(join(copy, 'README.md'))), ['it has a README'])
})
