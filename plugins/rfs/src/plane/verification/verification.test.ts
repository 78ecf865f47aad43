/** Verification under load, on real data planes: it names what differs, nothing else, and mends it. */
import { spawn, type ChildProcess } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  linkSync,
  mkdirSync,
  openSync,
  closeSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import ava from 'ava'
import type { VerifyReport } from '../../driver/protocol.js'
import { differences, join2, pair, pairWith, shell, type TestPlane } from '../plane.fixture.js'

const test = ava.serial

async function verify(server: TestPlane, repair = false, path = ''): Promise<VerifyReport> {
  const from = server.events.length
  await server.must('verify', { path, repair })
  const { report } = await server.event('verified', from)
  // The data plane's own report.
  return report as VerifyReport
}

/** `path what zone`, sorted: what a report lists. */
function listed({ listed: found }: VerifyReport): readonly string[] {
  return found
    .map(({ path, what, zone }) => [path, what.join('+'), zone].filter((one) => one !== undefined))
    .map((words) => words.join(' '))
    .sort()
}

/** Runs beneath the directory that the follower shows read-only: as a broken disk or a careless hand would. */
async function beneath(follower: TestPlane, change: () => void): Promise<void> {
  const { directory } = follower
  await shell(`umount '${directory}'`)
  change()
}

/** Files that are written, appended, renamed, linked and removed until it is ended. */
function load(directory: string): { readonly end: () => Promise<void> } {
  const script = `
    cd '${directory}' && mkdir -p busy/a busy/b
    i=0
    while :; do
      i=$((i+1)); f=busy/a/f$((i % 40))
      dd if=/dev/urandom of=$f bs=64k count=3 conv=notrunc seek=$((i % 5)) status=none
      echo $i >> busy/log; chmod 64$((i % 5)) $f; touch -d @$i busy/b
      mv $f busy/b/g$((i % 17)); ln -f busy/b/g$((i % 17)) busy/h$((i % 5))
      ln -sfn $i busy/link; truncate -s $((i * 10 % 300000)) busy/h$((i % 5))
      dd if=/dev/zero of=synced bs=4k count=1 seek=$((i % 9)) conv=notrunc,fsync status=none
      [ $((i % 7)) = 0 ] && rm -rf busy/b && mkdir -p busy/b
    done`
  const child: ChildProcess = spawn('bash', ['-c', script], { stdio: 'ignore', detached: true })
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => {
      resolve()
    })
  })
  return {
    end: async () => {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
      await ended
    },
  }
}

function fill(directory: string): void {
  for (let index = 0; index < 12; index++) {
    mkdirSync(join(directory, `d${index}`))
    writeFileSync(join(directory, `d${index}/file`), Buffer.alloc(700_000, index + 1))
    // Whole seconds: utimes can put them back.
    utimesSync(join(directory, `d${index}/file`), 1e9, 1e9)
  }
  linkSync(join(directory, 'd0/file'), join(directory, 'second-name'))
  symlinkSync('d1/file', join(directory, 'symbolic'))
  const sparse = openSync(join(directory, 'sparse'), 'w')
  writeSync(sparse, 'end', 50_000_000)
  closeSync(sparse)
  utimesSync(join(directory, 'sparse'), 1e9, 1e9)
}

function flip(file: string, offset: number): void {
  const { atime, mtime } = statSync(file)
  const bytes = readFileSync(file)
  bytes.writeUInt8(bytes.readUInt8(offset) ^ 0xff, offset)
  const fd = openSync(file, 'r+')
  writeSync(fd, bytes, offset, 1, offset)
  closeSync(fd)
  utimesSync(file, atime, mtime)
}

test('trees that change all the time and are the same are never said to differ', async (t) => {
  await pair(async (server, follower) => {
    fill(server.directory)
    await join2(server, follower)
    const busy = load(server.directory)
    try {
      for (let round = 0; round < Number(process.env['HOLDFAST_VERIFY_ROUNDS'] ?? 5); round++) {
        const report = await verify(server)
        t.deepEqual(listed(report), [])
        t.is(report.outcome, 'equal')
        t.true(report.names > 25)
        t.true(report.bytes > 50_000_000)
      }
    } finally {
      await busy.end()
    }
  })
})

test('flipped bytes beneath the secondary are found by file and zone, and only repair mends them', async (t) => {
  await pair(async (server, follower) => {
    fill(server.directory)
    await join2(server, follower)
    await beneath(follower, () => {
      flip(join(follower.directory, 'd3/file'), 300_000)
      flip(join(follower.directory, 'd3/file'), 300_001)
      flip(join(follower.directory, 'd7/file'), 10)
      const sparse = openSync(join(follower.directory, 'sparse'), 'r+')
      const { atime, mtime } = statSync(join(follower.directory, 'sparse'))
      writeSync(sparse, 'x', 20_000_000)
      closeSync(sparse)
      utimesSync(join(follower.directory, 'sparse'), atime, mtime)
    })
    const busy = load(server.directory)
    try {
      const expected = [
        'd3/file content 1',
        'd7/file content 0',
        `sparse content ${Math.floor(20_000_000 / 262_144)}`,
      ]
      for (const report of [await verify(server), await verify(server)]) {
        t.is(report.outcome, 'different')
        t.deepEqual(listed(report), expected)
        t.is(report.repaired, 0)
      }
      const mended = await verify(server, true)
      t.is(mended.outcome, 'equal')
      t.is(mended.repaired, mended.differences)
      t.deepEqual(listed(await verify(server)), [])
    } finally {
      await busy.end()
    }
    await server.must('drain')
    t.is(await differences(server.directory, follower.directory), '')
  })
})

test('names and attributes that differ are found and mended, and writes go to the file that was mended', async (t) => {
  await pair(async (server, follower) => {
    fill(server.directory)
    const open = openSync(join(server.directory, 'd2/file'), 'r+')
    await shell(`setfattr -n user.x -v 1 '${server.directory}/d4/file'`)
    await join2(server, follower)
    const at = (path: string): string => join(follower.directory, path)
    await beneath(follower, () => {
      rmSync(at('d2/file'))
      rmSync(at('d5'), { recursive: true })
      mkdirSync(at('d6/more/deep'), { recursive: true })
      writeFileSync(at('d6/more/deep/file'), 'x')
      chmodSync(at('d8/file'), 0o600)
      rmSync(at('symbolic'))
      symlinkSync('elsewhere', at('symbolic'))
      rmSync(at('second-name'))
      writeFileSync(at('second-name'), readFileSync(at('d0/file')))
      appendFileSync(at('d9/file'), 'more')
      truncateSync(at('d10/file'), 10)
      rmSync(at('d11/file'))
      mkdirSync(at('d11/file'))
    })
    await shell(`setfattr -x user.x '${at('d4/file')}'`)
    const report = await verify(server)
    // The times of directories differ too, and the content of what has another size.
    const found = listed(report).filter((one) => !/ (time|content \d+|links)$/.test(one))
    // Which of two names is met first is the file system's business.
    t.is(listed(report).filter((one) => /^(d0.file|second-name) links$/.test(one)).length, 1)
    t.deepEqual(found, [
      'd10/file time+size',
      'd11/file type',
      'd2/file missing',
      'd4/file attributes',
      'd5 missing',
      'd6/more extra',
      'd8/file mode',
      'd9/file time+size',
      'symbolic time+target',
    ])
    const mended = await verify(server, true)
    t.is(mended.outcome, 'equal', JSON.stringify(mended.listed.filter((one) => !one.repaired)))
    writeSync(open, 'written through a descriptor that was open before', 5)
    closeSync(open)
    await server.must('drain')
    t.is(await differences(server.directory, follower.directory), '')
    t.deepEqual(listed(await verify(server)), [])
  })
})

test('a verification that loses its secondary says so, and one without a secondary does not begin', async (t) => {
  await pair(async (server, follower) => {
    fill(server.directory)
    t.is((await server.ask('verify', { path: '', repair: false }))['code'], 'E_RFS_NOT_LIVE')
    await join2(server, follower)
    const missing = await server.ask('verify', { path: 'nowhere', repair: false })
    t.is(missing['code'], 'E_RFS_NO_FILE')
    const from = server.events.length
    follower.pause()
    await server.must('verify', { path: '', repair: false })
    t.is((await server.ask('verify', { path: '', repair: false }))['code'], 'E_RFS_VERIFYING')
    await follower.kill()
    const { report } = await server.event('verified', from)
    const { outcome, cause } = report as VerifyReport // The data plane's own report.
    t.is(outcome, 'interrupted')
    t.regex(cause ?? '', /link was lost/)
  })
})

test('what is left out is not verified, and one path can be verified alone', async (t) => {
  await pairWith([{ path: 'cache' }], async (server, follower) => {
    fill(server.directory)
    await join2(server, follower)
    await beneath(follower, () => {
      mkdirSync(join(follower.directory, 'cache'))
      writeFileSync(join(follower.directory, 'cache/own'), 'x')
      flip(join(follower.directory, 'd3/file'), 0)
      chmodSync(join(follower.directory, 'd4'), 0o711)
    })
    t.deepEqual(listed(await verify(server, false, 'd4')), ['d4 mode'])
    const one = await verify(server, false, 'd3/file')
    t.deepEqual(listed(one), ['d3/file content 0'])
    t.is(one.names, 1)
    t.is((await verify(server, false, 'd5/file')).bytes, 700_000)
    await shell(`cd '${server.directory}' && mkdir -p cache/deep && echo x > cache/deep/own`)
    for (const path of ['cache', 'cache/deep/own']) {
      const refused = await server.ask('verify', { volume: 0, path, repair: false })
      t.is(refused['code'], 'E_RFS_LEFT_OUT', `${path} was said to be the same on both sides`)
    }
    const all = listed(await verify(server))
    t.false(
      all.some((one) => one.startsWith('cache')),
      all.join(),
    )
  })
})
