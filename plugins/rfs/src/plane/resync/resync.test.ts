/** The copy between two trees: equal afterwards, nothing else touched, and no way out of the root. */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import type { Writer } from '../journal/bytes.js'
import { Keys } from '../journal/keys.js'
import { compareTrees } from '../../verify/compare.js'
import { putFile, putVisit } from './entry.fixture.js'
import { MESSAGE, putAttributes } from './messages.js'
import { placesFor } from './places.fixture.js'
import { Dice, RandomTree } from './random-tree.js'
import { Rig, type CopyOptions, type CopyResult } from './rig.js'

const ZONE = 65_536
const SEEDS = Number(process.env['HOLDFAST_RESYNC_SEEDS'] ?? 8)
const FIRST_SEED = Number(process.env['HOLDFAST_SEED'] ?? 1)
const ROUNDS = Number(process.env['HOLDFAST_RESYNC_ROUNDS'] ?? 100)
const rig = new Rig()
const place = placesFor('resync')

function succeed(options: CopyOptions): CopyResult {
  const result = rig.copy(options)
  if (result.failed.some((reason) => reason !== undefined)) {
    throw new Error(`the copy failed: ${result.failed.join(' | ')}`)
  }
  return result
}

function keysOf(add: (keys: Keys) => void): Keys {
  const keys = new Keys()
  add(keys)
  return keys
}

/** A pair of equal trees with something of everything. */
function pair(seed: number): { tree: RandomTree; from: string; to: string } {
  const from = place()
  const to = place()
  const tree = new RandomTree(from, new Dice(seed), ZONE)
  tree.change(120)
  succeed({ from, to })
  tree.keys = new Keys()
  return { tree, from, to }
}

test('after comparing everything the trees are equal, whatever was there', (t) => {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed += 1) {
    const [from, to] = [place(), place()]
    new RandomTree(from, new Dice(seed), ZONE).change(150)
    new RandomTree(to, new Dice(seed + 1000), ZONE).change(150)
    succeed({ from, to, sealed: seed % 2 === 0 })
    t.deepEqual(compareTrees(from, to), [], `seed ${seed}`)
    const again = succeed({ from, to })
    t.is(again.contentBytes, 0, `nothing travels twice, seed ${seed}`)
    succeed({ from, to, full: true })
    t.deepEqual(compareTrees(from, to), [], `full, seed ${seed}`)
  }
})

test('after a copy by keys the trees are equal, with changes of both sides and between the rounds', (t) => {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed += 1) {
    const { tree, from, to } = pair(seed)
    tree.change(60)
    // What the old primary had in flight: changes that the new one never saw.
    const ahead = new RandomTree(to, new Dice(seed + 77), ZONE)
    ahead.change(10)
    const keys = [tree.keys, ahead.keys] as const
    const result = succeed({
      from,
      to,
      keys,
      between: (round) => {
        tree.keys = new Keys()
        tree.change(15)
        return { keys: tree.keys, last: round === 3 }
      },
    })
    t.is(result.scope, 'keys')
    t.deepEqual(compareTrees(from, to), [], `seed ${seed}`)
  }
})

test('changes between the rounds of a first copy arrive too', (t) => {
  const [from, to] = [place(), place()]
  const tree = new RandomTree(from, new Dice(5), ZONE)
  tree.change(100)
  const result = succeed({
    from,
    to,
    between: (round) => {
      tree.keys = new Keys()
      tree.change(40)
      return { keys: tree.keys, last: round === 2 }
    },
  })
  t.is(result.scope, 'all')
  t.deepEqual(compareTrees(from, to), [])
})

test('a zone key sends this zone and nothing else', (t) => {
  const [from, to] = [place(), place()]
  const content = Buffer.alloc(10 * ZONE, 'x')
  for (const name of ['one', 'two']) fs.writeFileSync(join(from, name), content)
  succeed({ from, to })
  for (const name of ['one', 'two']) {
    const fd = fs.openSync(join(from, name), 'r+')
    fs.writeSync(fd, 'changed', 3 * ZONE + 5)
    fs.writeSync(fd, 'changed', 7 * ZONE + 5)
    fs.closeSync(fd)
  }
  const keys = keysOf((set) => set.addZone(0, 'one', 3))
  const result = succeed({ from, to, keys: [keys, new Keys()] })
  t.is(result.contentBytes, ZONE)
  t.false(result.widened)
  t.is(fs.readFileSync(join(to, 'one'))[3 * ZONE + 5], 'c'.charCodeAt(0))
  t.is(fs.readFileSync(join(to, 'one'))[7 * ZONE + 5], 'x'.charCodeAt(0))
  t.is(fs.readFileSync(join(to, 'two'))[3 * ZONE + 5], 'x'.charCodeAt(0))
})

test('a zone that was touched and is the same is not sent', (t) => {
  const [from, to] = [place(), place()]
  fs.writeFileSync(join(from, 'file'), Buffer.alloc(4 * ZONE, 'y'))
  succeed({ from, to })
  const keys = keysOf((set) => [0, 1, 2, 3].map((zone) => set.addZone(0, 'file', zone)))
  t.is(succeed({ from, to, keys: [keys, new Keys()] }).contentBytes, 0)
})

test('links with names outside of the keys end up as the same links', (t) => {
  const [from, to] = [place(), place()]
  const at = (root: string, name: string): string => join(root, name)
  fs.mkdirSync(at(from, 'far'))
  fs.writeFileSync(at(from, 'a'), 'content of a')
  fs.linkSync(at(from, 'a'), at(from, 'far/b'))
  fs.writeFileSync(at(from, 'c'), 'content of c')
  fs.linkSync(at(from, 'c'), at(from, 'far/d'))
  succeed({ from, to })
  // Written under one name, which then goes away: the other name is in no key.
  fs.writeFileSync(at(from, 'a'), 'other content')
  fs.unlinkSync(at(from, 'a'))
  // Replaced: the name is a file of its own now, its old link is in no key.
  fs.writeFileSync(at(from, 'c'), 'third content')
  fs.unlinkSync(at(from, 'c'))
  fs.writeFileSync(at(from, 'c'), 'a file of its own')
  const keys = keysOf((set) => {
    set.addZone(0, 'a', 0)
    set.addEntry(0, 'a')
    set.addEntry(0, 'c')
    set.addMeta(0, '')
  })
  const result = succeed({ from, to, keys: [keys, new Keys()] })
  t.deepEqual(compareTrees(from, to), [])
  t.is(fs.readFileSync(at(to, 'far/b'), 'utf8'), 'other content')
  t.true(result.widened, 'the journal of the follower is told before names beyond the keys change')
})

test('keys whose directory is gone on either side lead to what is there', (t) => {
  const { tree, from, to } = pair(3)
  fs.mkdirSync(join(from, 'new/deep/er'), { recursive: true })
  fs.writeFileSync(join(from, 'new/deep/er/file'), 'x')
  fs.mkdirSync(join(to, 'old/deep'), { recursive: true })
  const keys = keysOf((set) => {
    set.addZone(0, 'new/deep/er/file', 0)
    set.addMeta(0, 'old/deep/x')
    set.addMeta(0, '')
  })
  succeed({ from, to, keys: [keys, new Keys()] })
  t.deepEqual(compareTrees(from, to), [])
  t.is(tree.keys.size, 0)
})

test('a tree deeper than PATH_MAX is copied, changed and removed', (t) => {
  const [from, to] = [place(), place()]
  const name = 'deep'.repeat(50)
  const dig = (root: string): void =>
    void execFileSync('sh', [
      '-c',
      `cd "$1" && i=0; while [ $i -lt 40 ]; do mkdir -p $2 && cd -P $2; i=$((i+1)); done; echo end >file`,
      'sh',
      root,
      name,
    ])
  dig(from)
  succeed({ from, to })
  t.deepEqual(compareTrees(from, to), [])
  execFileSync('rm', ['-rf', join(from, name)])
  const result = succeed({ from, to })
  t.deepEqual(compareTrees(from, to), [])
  t.is(result.contentBytes, 0)
})

test('holes stay holes, new holes become holes, and a sparse file of a tebibyte takes no time', (t) => {
  const [from, to] = [place(), place()]
  const fd = fs.openSync(join(from, 'sparse'), 'w')
  fs.ftruncateSync(fd, 2 ** 40)
  fs.writeSync(fd, Buffer.alloc(ZONE, 'd'), 0, ZONE, 2 ** 39)
  fs.closeSync(fd)
  fs.writeFileSync(join(from, 'dense'), Buffer.alloc(40 * ZONE, 'd'))
  const first = succeed({ from, to })
  t.is(first.contentBytes, 41 * ZONE)
  t.deepEqual(compareTrees(from, to, { holeToleranceBytes: 4096 }), [])
  execFileSync('fallocate', [
    '-p',
    '-o',
    String(5 * ZONE),
    '-l',
    String(20 * ZONE + 8192),
    join(from, 'dense'),
  ])
  succeed({ from, to })
  t.deepEqual(compareTrees(from, to, { holeToleranceBytes: 4096 }), [])
  // Zeros that take room on one side only.
  fs.writeFileSync(join(to, 'sparse2'), Buffer.alloc(8 * ZONE))
  fs.writeFileSync(join(from, 'sparse2'), '')
  fs.truncateSync(join(from, 'sparse2'), 8 * ZONE)
  const last = succeed({ from, to })
  t.deepEqual(compareTrees(from, to, { holeToleranceBytes: 4096 }), [])
  t.is(last.contentBytes, 0)
})

test('sockets, fifos, devices, capabilities and access lists arrive', (t) => {
  const [from, to] = [place(), place()]
  const script = `cd "$1"; mkfifo -m 640 fifo; mknod char c 1 3; mknod block b 7 99; ln fifo fifo2
    python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("sock")'
    echo x >cap; setcap cap_net_raw+ep cap; chown 7:8 cap fifo; setcap cap_net_raw+ep cap
    mkdir acl; setfacl -m u:9:rwx,g:10:r acl; setfacl -d -m u:9:rx acl; echo y >acl/file; chmod 6755 acl/file`
  execFileSync('sh', ['-ec', script, 'sh', from])
  succeed({ from, to })
  t.deepEqual(compareTrees(from, to), [])
  execFileSync('sh', [
    '-ec',
    'cd "$1"; printf zz | dd of=cap conv=notrunc 2>/dev/null; setcap cap_net_admin+p cap; setfacl -b acl; rm char; mknod char c 1 5',
    'sh',
    from,
  ])
  succeed({ from, to })
  t.deepEqual(compareTrees(from, to), [])
})

test('a full disk of the follower ends the copy with the path and the reason, and both sides stay usable', (t) => {
  const [from, to] = [place(), place()]
  fs.writeFileSync(join(from, 'large'), Buffer.alloc(3_000_000, 'x'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', `rfs-resync-${process.pid}`, to])
  try {
    const { failed } = rig.copy({ from, to })
    t.regex(failed[1] ?? '', /write large: ENOSPC/)
    t.regex(failed[0] ?? '', /the secondary gave up: write large: ENOSPC/)
    fs.truncateSync(join(from, 'large'), 1000)
    succeed({ from, to })
    t.deepEqual(compareTrees(from, to), [])
    execFileSync('mount', ['-o', 'remount,ro', to])
    fs.writeFileSync(join(from, 'another'), 'x')
    const refused = /(open for writing large|create another): EROFS/
    t.regex(rig.copy({ from, to }).failed[1] ?? '', refused)
  } finally {
    execFileSync('umount', ['-l', to])
  }
})

test('a copy that is stopped at any moment can be made again', (t) => {
  const [from, to] = [place(), place()]
  const tree = new RandomTree(from, new Dice(9), ZONE)
  tree.change(200)
  for (const afterMs of [0, 1, 2, 4, 8, 16]) {
    fs.rmSync(to, { recursive: true })
    fs.mkdirSync(to)
    rig.copy({ from, to, stopAfterMs: afterMs })
    tree.change(20)
    succeed({ from, to })
    t.deepEqual(compareTrees(from, to), [], `stopped after ${afterMs} ms`)
  }
})

test('more small files than may be asked about at once arrive, and none is sent twice', (t) => {
  const [from, to] = [place(), place()]
  let bytes = 0
  for (let d = 0; d < 60; d += 1) {
    fs.mkdirSync(join(from, `d${d}`))
    for (let f = 0; f < 200; f += 1) {
      fs.writeFileSync(join(from, `d${d}`, `f${f}`), `${d} ${f}`)
      bytes += `${d} ${f}`.length
    }
  }
  t.is(succeed({ from, to }).contentBytes, bytes)
  t.deepEqual(compareTrees(from, to), [])
})

test('a hostile source gets nothing out of a target but an end with a reason', (t) => {
  const outside = place()
  fs.writeFileSync(join(outside, 'precious'), 'untouched')
  const root = place()
  fs.symlinkSync(outside, join(root, 'link'))
  fs.writeFileSync(join(root, 'file'), 'x')
  const attacks: Record<string, (to: Writer) => void> = {
    'a name with a slash': (to) => putFile(putVisit(to, ''), '../precious'),
    'the parent directory': (to) => putFile(putVisit(to, ''), '..'),
    'this directory': (to) => putFile(putVisit(to, ''), '.'),
    'no name': (to) => putFile(putVisit(to, ''), ''),
    'a name with a NUL': (to) => putFile(putVisit(to, ''), 'a\0b'),
    'a name that is too long': (to) => putFile(putVisit(to, ''), 'n'.repeat(256)),
    'an absent parent': (to) => putVisit(to, '').u8(MESSAGE.absent).text('..'),
    'a path with dots': (to) => putVisit(to, '../..'),
    'an absolute path': (to) => putVisit(to, '/etc'),
    'a path with a NUL': (to) => putVisit(to, 'a\0/b'),
    'another volume': (to) => putVisit(to, '', 7),
    'a visit within a visit': (to) => putVisit(putVisit(to, ''), ''),
    'an entry outside of a visit': (to) => putFile(to, 'new'),
    'the same file twice': (to) => {
      putFile(putVisit(to, ''), 'new')
      putFile(to, 'new2')
    },
    'data of no file': (to) => to.u8(MESSAGE.data).uint(99).uint(0).uint(1).u8(65),
    'more data than there is': (to) => to.u8(MESSAGE.data).uint(99).uint(0).uint(1e9),
    'a mode that is none': (to) => putFile(putVisit(to, ''), 'new', { mode: 0o170644 }),
    'far too many hashes': (to) => (
      putFile(putVisit(to, ''), 'new'),
      to.u8(MESSAGE.hash).uint(1).uint(0).uint(1e9)
    ),
    'an unknown message': (to) => to.u8(200),
    'a second scope': (to) => to.u8(MESSAGE.scope).u8(0).text(''),
    'a number without end': (to) => to.u8(MESSAGE.done).raw(Buffer.alloc(20, 0xff)),
    'an end in the middle': (to) => (
      putFile(putVisit(to, ''), 'new'),
      to.u8(MESSAGE.roundEnd).u8(1)
    ),
  }
  for (const [name, attack] of Object.entries(attacks)) {
    t.regex(rig.attack(root, attack), /malformed/, name)
  }
  // Through a link: there is no such directory, and what is said about it is skipped.
  for (const path of ['link', 'link/deeper', 'file']) {
    const reason = rig.attack(root, (to) => {
      putFile(putVisit(to, path), 'evil')
      putAttributes(to.u8(MESSAGE.absent).text('precious').u8(MESSAGE.leave), {
        mode: 0o40755,
        uid: 0,
        gid: 0,
        mtimeSeconds: 0,
        mtimeNanos: 0,
        xattrs: [],
      })
    })
    t.is(reason, 'the peer closed the connection', path)
  }
  t.deepEqual(fs.readdirSync(outside), ['precious'])
  t.is(fs.readFileSync(join(outside, 'precious'), 'utf8'), 'untouched')
  t.deepEqual(
    fs.readdirSync(root).filter((name) => name === 'evil'),
    [],
  )
})

test('random bytes end the target with a reason, and the next copy works', (t) => {
  const to = place()
  const dice = new Dice(4)
  for (let i = 0; i < ROUNDS; i += 1) {
    const bytes = Buffer.from(
      Array.from({ length: 1 + dice.roll(200) }, () => dice.roll(i % 2 === 0 ? 256 : 48)),
    )
    t.not(
      rig.attack(to, (messages) => messages.raw(bytes)),
      '',
    )
  }
  const from = place()
  fs.writeFileSync(join(from, 'file'), 'x')
  succeed({ from, to })
  t.deepEqual(compareTrees(from, to), [])
})
