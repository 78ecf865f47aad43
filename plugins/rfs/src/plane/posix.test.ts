/** Each thing that programs may expect of files: the same on the mount as on a local directory, and the same again on the follower. */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import ava from 'ava'
import { TestPlane, differences, join2, shell } from './plane.fixture.js'
import { CONTENT_ITEMS } from './posix-content.fixture.js'
import { NAME_ITEMS } from './posix-names.fixture.js'
import { PRELUDE } from './posix.fixture.js'

const exec = promisify(execFile)
// One after the other: they share two data planes.
const test = ava.serial

const plain = mkdtempSync('/var/tmp/hfrfs-plain-')
const server = TestPlane.prepare('server')
const follower = TestPlane.prepare('follower')

test.before(async () => {
  await shell(`chmod 755 ${plain} ${server.base} ${server.directory}`)
  await server.start()
  await follower.start()
  await server.must('serve', { generation: 'g1', alone: true })
  await join2(server, follower)
})

test.after.always(async () => {
  // Some paths are longer than what a program can name at once: not for Node to remove.
  await shell(`rm -rf ${plain} ${server.directory}/*`)
  await server.must('drain')
  await server.remove()
  await follower.remove()
})

/** Runs a program of the table in a new directory `name`; resolves with what it said. */
async function run(root: string, name: string, program: string): Promise<string> {
  const directory = join(root, name)
  mkdirSync(directory)
  const args = ['-c', PRELUDE + program, directory]
  // Beneath the shortest time-out of a test: a program that hangs must be told by its title.
  const { stdout } = await exec('python3', args, { timeout: 60_000, cwd: '/' })
  return stdout
}

for (const [index, { title, program, says }] of [...NAME_ITEMS, ...CONTENT_ITEMS].entries()) {
  test(`as on a local directory: ${title}`, async (t) => {
    const name = `item ${index}`
    const local = await run(plain, name, program)
    t.regex(local, says)
    t.is(await run(server.directory, name, program), local)
    t.is((await follower.must('status'))['link'], 'live')
  })
}

test('after all of it the follower has the same tree', async (t) => {
  await server.must('drain')
  t.is((await follower.must('status'))['link'], 'live')
  t.is(await differences(server.directory, follower.directory), '')
})
