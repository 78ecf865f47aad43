/** Two nodes wrote apart from each other; one gives its history up. What only it had can be looked at and brought back. */
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CommandResult } from '@holdfast/sdk'
import test from 'ava'
import { differences, isMounted, join2, pair, type TestPlane } from '../plane/plane.fixture.js'
import { divergedCommands, type DivergedWorld } from './commands.js'
import { discardRest, openSet, readSets } from './sets.js'

type Parameters = Readonly<Record<string, string | number | boolean>>

function run(
  world: DivergedWorld,
  words: string,
  parameters: Parameters = {},
): Promise<CommandResult> {
  const command = divergedCommands(world).get(`rfs diverged ${words}`)
  if (command === undefined) throw new Error(`no command ${words}`)
  return command.run(parameters, new AbortController().signal)
}

/** The follower joins again and gives up what it wrote. */
async function giveUp(server: TestPlane, follower: TestPlane, aside: string): Promise<void> {
  const session = randomBytes(16).toString('hex')
  const key = randomBytes(32).toString('hex')
  const order = { epoch: 2, full: true, session, key }
  const from = [server.events.length, follower.events.length] as const
  await server.must('admit', order)
  const { address, port } = server.launch.listen
  await follower.must('follow', { ...order, address, port, aside })
  await server.event('copyFinished', from[0])
  await follower.event('copyFinished', from[1])
}

test('after a split the loser gets the tree of the winner, and each of its own files can be restored', async (t) => {
  await pair(async (server, follower) => {
    const write = (plane: TestPlane, name: string, text: string): void => {
      fs.writeFileSync(join(plane.directory, name), text)
    }
    write(server, 'both', 'common')
    write(server, 'untouched', 'common')
    await join2(server, follower)
    await follower.must('unfollow')
    await server.must('detach', { epoch: 1, generation: '2:n1' })
    await follower.must('serve', { generation: '2:n2', alone: true })
    write(server, 'both', 'the winner')
    write(follower, 'both', 'the loser')
    write(follower, 'order 4711', 'only the loser has it')
    await follower.must('unserve', { force: false })

    const base = join(follower.base, 'diverged')
    const about = { generation: '2:n2:x', madeMs: 0, directories: [follower.directory] }
    const aside = await openSet(base, about)
    await giveUp(server, follower, aside ?? '')
    t.true(follower.events.some((line) => JSON.stringify(line).includes('divergedSetAside')))
    await server.must('drain')
    t.is(await differences(server.directory, follower.directory), '')
    t.is(await openSet(base, about), undefined)

    const world: DivergedWorld = {
      base,
      directories: [follower.directory],
      areServed: () => Promise.resolve(isMounted(follower.directory)),
    }
    const [set] = await readSets(base)
    t.deepEqual(set?.lines.map(({ path }) => path).sort(), ['both', 'order 4711'])
    const name = set?.name ?? ''
    const shown = await run(world, 'show', { set: name })
    t.true(shown.lines.some((line) => line.endsWith('order 4711')))

    const elsewhere = join(follower.base, 'elsewhere')
    await run(world, 'restore', { set: name, path: 'both', to: elsewhere })
    t.is(fs.readFileSync(elsewhere, 'utf8'), 'the loser')

    await follower.must('unfollow')
    await server.must('unserve', { force: false })
    await follower.must('serve', { generation: '3:n2', alone: true })
    await run(world, 'restore', { set: name, path: 'order 4711' })
    t.is(fs.readFileSync(join(follower.directory, 'order 4711'), 'utf8'), 'only the loser has it')
    await t.throwsAsync(run(world, 'restore', { set: name, path: 'both' }), { message: /already/ })
    t.is(fs.readFileSync(join(follower.directory, 'both'), 'utf8'), 'the winner')
    await run(world, 'restore', { set: name, path: 'both', overwrite: true })
    t.is(fs.readFileSync(join(follower.directory, 'both'), 'utf8'), 'the loser')
    await run(world, 'remove', { set: name })
    t.deepEqual((await run(world, 'list')).data, [])
  })
})

test('a history is kept in one set until it is complete; another history with the same number gets its own', async (t) => {
  const base = fs.mkdtempSync(join(tmpdir(), 'rfs-sets-'))
  const about = { generation: '2:n2:a', madeMs: 1_000, directories: ['/srv/a'] }
  const first = (await openSet(base, about)) ?? ''
  t.is(await openSet(base, { ...about, madeMs: 9_000 }), first)
  t.not(await openSet(base, { ...about, generation: '2:n2:b' }), first)
  // A torn line is not the end, a whole one is.
  fs.writeFileSync(join(first, 'index.jsonl'), '{"complete":true,"fil')
  t.is(await openSet(base, about), first)
  fs.appendFileSync(join(first, 'index.jsonl'), '\n{"complete":true,"files":0,"bytes":0}\n')
  t.is(await openSet(base, about), undefined)
  fs.rmSync(base, { recursive: true })
})

test('what the operator gives up is kept no more, and a set that is complete has nothing to give up', async (t) => {
  const base = fs.mkdtempSync(join(tmpdir(), 'rfs-sets-'))
  const world = { base, directories: ['/srv/a'], areServed: () => Promise.resolve(false) }
  const about = { generation: '2:n2:a', madeMs: 1_000, directories: ['/srv/a'] }
  const first = (await openSet(base, about)) ?? ''
  const [set] = await readSets(base)
  await run(world, 'discard', { set: set?.name ?? '' })
  t.is(await openSet(base, about), undefined)
  fs.writeFileSync(join(first, 'index.jsonl'), '{"complete":true,"files":0,"bytes":0}\n')
  await t.throwsAsync(run(world, 'discard', { set: set?.name ?? '' }), {
    message: /nothing is left/,
  })
  await t.throwsAsync(run(world, 'show', { set: '../..' }), { message: /no set/ })
  if (set !== undefined) await discardRest(base, set)
  fs.rmSync(base, { recursive: true })
})

test('a restored file stays in its directory: a link on the way that leads out is refused', async (t) => {
  const root = fs.mkdtempSync(join(tmpdir(), 'rfs-sets-'))
  const [base, data, out] = ['diverged', 'data', 'out'].map((name) => join(root, name))
  for (const path of [base, data, out]) fs.mkdirSync(path ?? '')
  const directories = [data ?? '']
  const set = (await openSet(base ?? '', { generation: '2:n2:a', madeMs: 0, directories })) ?? ''
  fs.mkdirSync(join(set, 'files', '0', 'sub'), { recursive: true })
  fs.writeFileSync(join(set, 'files', '0', 'sub', 'file'), 'mine')
  const line = { volume: 0, path: 'sub/file', type: 'file', size: 4, mtimeMs: 0, why: 'removed' }
  fs.writeFileSync(join(set, 'index.jsonl'), `${JSON.stringify(line)}\n`)
  fs.symlinkSync(out ?? '', join(data ?? '', 'sub'))
  const world = { base: base ?? '', directories, areServed: () => Promise.resolve(true) }
  const [{ name } = { name: '' }] = await readSets(base ?? '')
  await t.throwsAsync(run(world, 'restore', { set: name, path: 'sub/file' }), {
    message: /leads out/,
  })
  t.deepEqual(fs.readdirSync(out ?? ''), [])
  const unserved = { ...world, areServed: () => Promise.resolve(false) }
  await t.throwsAsync(run(unserved, 'restore', { set: name, path: 'sub/file' }), {
    message: /not served on this node/,
  })
  fs.rmSync(root, { recursive: true })
})
