/** Files that were changed beneath while the module was stopped, on the disk of either node: found by their times, and copied. */
import { closeSync, existsSync, readdirSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import ava, { type ExecutionContext } from 'ava'
import { readEstimate } from '../estimate/read.js'
import { rootsOf } from '../estimate/roots.js'
import { decodeInto } from './journal/codec.js'
import { bootIdOfMachine, openJournal } from './journal/file.js'
import { Keys } from './journal/keys.js'
import { FUSE_MAGIC } from './volume.js'
import { type TestPlane, differences, join2, pairWith, shell } from './plane.fixture.js'

const test = ava.serial
const rules = [{ path: 'cache' }]
const deep = Array.from({ length: 60 }, (_, level) => `level-${level}`).join('/')

/** What the journal of a node that does nothing holds. */
function keysOf(node: TestPlane): readonly string[] {
  const { journal: directory, zoneBytes } = node.launch
  const journal = openJournal({ directory, zoneBytes, isCovered: true })
  const keys = new Keys()
  decodeInto(journal.snapshot(), keys)
  journal.closeClean()
  const paths: string[] = []
  const add = (_volume: number, path: string): void => void paths.push(path)
  keys.visit({ entry: add, zones: add, meta: add, names: add })
  return paths.sort()
}

/** Everything that a person does to files; the parts do not touch each other. */
const edits: Readonly<Record<string, string>> = {
  'a file is changed': 'echo more >> edit/changed',
  'a file is overwritten in place, of the same size':
    'printf X | dd of=edit/same bs=1 conv=notrunc',
  'a file is replaced, as editors do':
    'cp edit/replaced edit/.new; echo r >> edit/.new; mv edit/.new edit/replaced',
  'a file is made': 'mkdir -p made/d; echo new > made/d/new; touch made/empty',
  'a file is removed': 'rm remove/file; rm -r remove/directory',
  'a file is renamed': 'mv rename/one rename/two; mv rename/over rename/target',
  'a directory is moved': 'mv move/from/directory move/to/',
  'two directories are exchanged': 'cd swap; mv a t; mv b a; mv t b',
  'attributes are changed':
    'chmod 600 mode/file; chown 7:8 mode/owner; touch -d @1 mode/time; setfattr -n user.a -v b mode/xattr',
  'a file far down is changed': `echo more >> ${deep}/file`,
  'a hard link is written and made': 'echo more >> link/one; ln link/single link/second',
  'a hard link is removed': 'rm link/three',
  'a file becomes a directory':
    'rm kind/file; mkdir kind/file; rm -r kind/directory; ln -s x kind/directory',
  'what is left out is changed': 'mkdir -p cache; echo more >> cache/own',
}

const tree = `
  mkdir -p edit remove/directory/below rename move/from/directory/below move/to swap/a/d swap/b/d mode ${deep} link kind/directory cache quiet
  for f in edit/changed edit/same edit/replaced remove/file remove/directory/below/f rename/one rename/over rename/target; do echo $f > $f; done
  for f in move/from/directory/below/f swap/a/d/f swap/b/d/f mode/file mode/owner mode/time mode/xattr ${deep}/file; do echo $f > $f; done
  for f in link/one link/single link/three kind/file kind/directory/f cache/own; do echo $f > $f; done
  ln link/one link/two; ln link/three link/four; head -c 3000000 /dev/urandom > quiet/big
  for i in {1..300}; do echo $i > quiet/$i; done
`

const at = (node: TestPlane, command: string): Promise<string> =>
  shell(`set -e; cd '${node.directory}'; ${command}`)

/** Times of inodes are a tick or two exact: what is changed in the one in which a node is stopped counts as changed later. */
async function ticked(): Promise<void> {
  const until = Date.now() + 30
  while (Date.now() <= until) await new Promise((resolve) => setTimeout(resolve, 5))
}

/** Both nodes are equal, and stopped in order. */
async function stopped(server: TestPlane, follower: TestPlane): Promise<void> {
  await at(server, tree)
  await join2(server, follower)
  await ticked()
  await follower.must('unfollow')
  await server.event('linkLost')
  await server.must('unserve')
}

/** For an estimate while it serves. */
function placeOf({ launch, pid }: TestPlane): Parameters<typeof readEstimate>[0] {
  const { journal: directory, volumes, zoneBytes } = launch
  return { directory, volumes, zoneBytes, bootId: bootIdOfMachine(), pid }
}

interface Copied {
  readonly scope: unknown
  readonly bytes: number
  /** Names that were found on each side. */
  readonly found: readonly unknown[]
}

/** Both join again, after programs did something. */
async function joined(server: TestPlane, follower: TestPlane, epoch: number): Promise<Copied> {
  const from = [server.events.length, follower.events.length] as const
  await join2(server, follower, epoch)
  const [events, theirs] = [server.events.slice(from[0]), follower.events.slice(from[1])]
  const named = (list: typeof events, name: string): Readonly<Record<string, unknown>> => {
    const fields = list.find((event) => event['name'] === name)?.['fields']
    return typeof fields === 'object' && fields !== null ? { ...fields } : {}
  }
  return {
    scope: named(events, 'copyScoped')['scope'],
    bytes: Number(named(events, 'copyDone')['contentBytes']),
    found: [events, theirs].map((list) => named(list, 'changesSearched')['count']),
  }
}

async function sees(t: ExecutionContext, server: TestPlane, follower: TestPlane): Promise<void> {
  await server.must('drain')
  const found = await differences(server.directory, follower.directory)
  const isOurs = (line: string): boolean => !line.startsWith('cache')
  t.deepEqual(
    found.split('\n').filter((line) => line !== '' && isOurs(line)),
    [],
  )
}

for (const where of ['the primary', 'the secondary', 'both'] as const) {
  test(`what was changed on the disk of ${where} while both were stopped is found, and only that is copied`, async (t) => {
    await pairWith(rules, async (server, follower) => {
      await stopped(server, follower)
      const all = Object.values(edits).map((edit) => `(${edit}) 2>/dev/null`)
      if (where !== 'the secondary') await at(server, all.join('\n'))
      if (where !== 'the primary') await at(follower, all.slice().reverse().join('\n'))
      await server.must('serve', { generation: 'g2', alone: true })
      const copied = await joined(server, follower, 2)
      t.is(copied.scope, 'keys')
      t.true(copied.bytes < 3_000, `${copied.bytes} bytes were copied`)
      await sees(t, server, follower)
      // What is left out is on the follower only where it was put there.
      t.is(existsSync(join(follower.directory, 'cache')), where !== 'the primary')
      await again(t, server, follower)
    })
  })
}

/** What was found is not found again. */
async function again(t: ExecutionContext, server: TestPlane, follower: TestPlane): Promise<void> {
  await ticked()
  await follower.must('unfollow')
  await server.event('linkLost')
  await server.must('unserve')
  await server.must('serve', { generation: 'g3', alone: true })
  t.deepEqual(await joined(server, follower, 3), { scope: 'keys', bytes: 0, found: [0, 0] })
}

test('each kind of change is found by itself', async (t) => {
  await pairWith(rules, async (server, follower) => {
    await stopped(server, follower)
    let epoch = 1
    for (const [what, edit] of Object.entries(edits)) {
      epoch += 1
      await at(epoch % 2 === 0 ? server : follower, edit)
      await server.must('serve', { generation: `g${epoch}`, alone: true })
      const { found, bytes } = await joined(server, follower, epoch)
      await sees(t, server, follower)
      const names = found.map(Number)
      t.true(Math.max(...names) <= 8, `${what}: ${names.join(' and ')} names`)
      t.true(bytes < 1_000, `${what}: ${bytes} bytes`)
      await ticked()
      await follower.must('unfollow')
      await server.event('linkLost')
      await server.must('unserve')
    }
  })
})

test('what a program does before the other node joins does not hide what was changed before', async (t) => {
  await pairWith(rules, async (server, follower) => {
    await stopped(server, follower)
    await at(
      server,
      'printf X | dd of=edit/same bs=1 conv=notrunc status=none; echo y >> edit/changed',
    )
    await at(server, 'rm remove/file; rm -r remove/directory; echo more >> link/one')
    await at(follower, 'rm quiet/7; echo z > quiet/8')
    await server.must('serve', { generation: 'g2', alone: true })
    const { foreign } = readEstimate(placeOf(server))
    t.deepEqual(foreign, { names: 5, all: true }, 'a directory counts for what is gone in it')
    // The times of all of these inodes are those of the program now; what it changes is only an attribute, or another name.
    await at(
      server,
      'chmod 640 edit/same edit/changed; echo program > remove/other; rm link/two; touch quiet/new',
    )
    const { scope, bytes } = await joined(server, follower, 2)
    t.is(scope, 'keys')
    t.true(bytes < 3_000, `${bytes} bytes were copied`)
    await sees(t, server, follower)
    t.false(existsSync(join(follower.directory, 'remove/directory')))
  })
})

test('a follower that lost its link and joins again looks for nothing, since nobody could write to its directories', async (t) => {
  await pairWith(rules, async (server, follower) => {
    await stopped(server, follower)
    // What was changed while it was stopped is looked for once.
    await at(follower, 'echo more > quiet/7')
    await server.must('serve', { generation: 'g2', alone: true })
    t.deepEqual((await joined(server, follower, 2)).found, [0, 1])
    for (const epoch of [3, 4]) {
      const lost = follower.events.length
      await server.must('detach', { epoch, generation: `g${epoch}` })
      await follower.event('linkLost', lost)
      await t.throwsAsync(at(follower, 'echo other > quiet/8'), { message: /Read-only/ })
      await at(server, `echo ${epoch} > quiet/9`)
      const { scope, bytes, found } = await joined(server, follower, epoch)
      t.deepEqual([scope, found], ['keys', [undefined, undefined]])
      t.true(bytes > 0 && bytes < 100, `${bytes} bytes`)
      await sees(t, server, follower)
    }
    // Each session knows the inodes that it was told of, and no others.
    await at(server, 'mv quiet/9 edit/9; echo live > edit/9; rm quiet/8; echo new > quiet/8')
    await sees(t, server, follower)
    await again(t, server, follower)
    // From the order to follow no more on, everybody may write.
    await ticked()
    await follower.must('unfollow')
    await at(follower, 'echo other > quiet/8')
    t.deepEqual((await joined(server, follower, 5)).found, [undefined, 1])
  })
})

test('an estimate reads the directory that is beneath the mount, and asks the data plane for nothing', async (t) => {
  await pairWith(rules, async (server) => {
    await at(server, 'echo x > file')
    for (const pid of [server.pid, undefined]) {
      const [root = -1] = rootsOf(server.launch.volumes, pid).values()
      const path = `/proc/self/fd/${root}`
      t.deepEqual(readdirSync(path), ['file'])
      t.is(statfsSync(path).type === FUSE_MAGIC, pid === undefined)
      closeSync(root)
    }
  })
})

test('an interrupted copy of what was found is completed by the next one', async (t) => {
  await pairWith(rules, async (server, follower) => {
    await stopped(server, follower)
    // Only the secondary knows of it, and its times are those of the copy as soon as that has begun.
    await at(follower, 'head -c 3000000 /dev/zero > quiet/big; rm -r edit; echo x >> rename/one')
    await server.must('serve', { generation: 'g2', alone: true })
    const key = '00'.repeat(32)
    const session = '11'.repeat(16)
    await server.must('admit', { epoch: 2, full: false, session, key })
    const searched = new Promise<void>((resolve) => {
      follower.onEvent = (line) => {
        if (line['name'] === 'changesSearched') resolve()
      }
    })
    const { address, port } = server.launch.listen
    await follower.must('follow', { epoch: 2, full: false, address, port, session, key })
    await searched
    follower.onEvent = () => undefined
    const lost = server.events.length
    await follower.must('unfollow')
    await server.event('linkLost', lost)
    // A directory that is gone is one of the names of the root.
    t.deepEqual(keysOf(follower), ['', 'quiet/big', 'rename/one'])
    await joined(server, follower, 3)
    await sees(t, server, follower)
  })
})
