import { execFileSync, spawn } from 'node:child_process'
import { mkdir, mkdtemp, realpath, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import type { Clock, ModuleContext } from '@holdfast/sdk'
import { check, nameProblem } from './check.js'
import { findUsers } from './holders.js'
import { isOurView, mountsOn, parseMountinfo } from './mountinfo.js'
import { readMounts, unmountLeftovers } from './mounts.js'
import { portOf } from './protocol.js'
import { release, releaseSteps } from './release.js'
import type { RfsConfig } from './settings.js'
import { parseLine } from './wire.js'
import { realExec } from '../testing/world.js'

const moduleId = 61

async function withDirectory(use: (root: string) => Promise<void>): Promise<void> {
  const root = await realpath(await mkdtemp(join(tmpdir(), 'holdfast-node-')))
  try {
    await use(root)
  } finally {
    for (const { point } of [...(await readMounts())].reverse()) {
      if (point.startsWith(root)) execFileSync('umount', ['--lazy', point])
    }
    await rm(root, { recursive: true, force: true })
  }
}

function configOf(...replicated: RfsConfig['rfs']['replicated']): RfsConfig {
  return {
    rfs: {
      async: 'none',
      zone: 262_144,
      timeout: 5_000,
      encryption: true,
      awake: true,
      replicated,
    },
  }
}

function contextOf(root: string): ModuleContext {
  const directories = {
    package: `${root}/own/package`,
    state: `${root}/own/state`,
    run: `${root}/own/run`,
    logs: `${root}/own/logs`,
  }
  return {
    name: 'shop',
    id: moduleId,
    node: 'n1',
    nodes: ['n1', 'n2'],
    directories,
    configDigest: '',
  }
}

test('each name that is no directory of an application is refused with what to write', (t) => {
  const table: readonly (readonly [string, RegExp | undefined])[] = [
    ['data', /not an absolute path/],
    ['/srv/../etc', /plain form; write "\/etc"/],
    ['/srv/data/', /plain form; write "\/srv\/data"/],
    ['/srv//data', /plain form; write "\/srv\/data"/],
    ['/', /operating system/],
    ['/etc', /operating system/],
    ['/proc/1', /operating system/],
    ['/dev/shm/x', /operating system/],
    ['/var/lib', /operating system/],
    ['/var/lib/postgresql', undefined],
    ['/srv/a b', undefined],
  ]
  for (const [dir, expected] of table) {
    const problem = nameProblem(dir)
    if (expected === undefined) t.is(problem, undefined, dir)
    else t.regex(problem ?? '', expected, dir)
  }
})

test('each directory that can not be replicated is one error at its place', async (t) => {
  await withDirectory(async (root) => {
    for (const name of ['good', 'good/inner', 'outer', 'outer/mounted', 'frozen', 'taken/x']) {
      await mkdir(`${root}/${name}`, { recursive: true })
    }
    for (const name of ['file', 'plain']) await writeFile(`${root}/${name}`, '')
    await symlink(`${root}/good`, `${root}/link`)
    await symlink(`${root}/good`, `${root}/way`)
    execFileSync('mount', ['-t', 'tmpfs', 'none', `${root}/outer/mounted`])
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'none', `${root}/frozen`])
    for (const name of ['lower', 'upper', 'work', 'layered']) await mkdir(`${root}/${name}`)
    const layers = `lowerdir=${root}/lower,upperdir=${root}/upper,workdir=${root}/work`
    execFileSync('mount', ['-t', 'overlay', '-o', layers, 'overlay', `${root}/layered`])
    const table: readonly (readonly [string, RegExp])[] = [
      [`${root}/good`, /^$/],
      [`${root}/good/inner`, /lies in/],
      [`${root}/good`, /written twice/],
      [`${root}/missing`, /does not exist on this node; create it: mkdir -p/],
      [`${root}/file`, /is not a directory/],
      [`${root}/plain/x`, /a part of .* is not a directory/],
      [`${root}/link`, /symbolic link/],
      [`${root}/way/inner`, /through a symbolic link; write .*good\/inner/],
      [`${root}/outer`, /mount inside/],
      [`${root}/frozen`, /read-only/],
      [`${root}/layered`, /on overlay, the layers of a container/],
      [`${root}/own`, /files of Holdfast/],
      [`${root}/taken/x`, /module other replicates/],
    ]
    const others = [{ module: 'other', config: configOf({ dir: `${root}/taken` }) }]
    const report = await check(configOf(...table.map(([dir]) => ({ dir }))), {
      ...contextOf(root),
      others,
    })
    for (const [index, [dir, expected]] of table.entries()) {
      const found = report.errors.filter(
        ({ path }) => path === `/rfs/replicated/${String(index)}/dir`,
      )
      t.regex(found.map(({ message }) => message).join(), expected, dir)
    }
    t.is(report.errors.length, table.length - 1)
    t.true(report.warnings.some(({ message }) => message.includes('is not empty')))
  })
})

test('what must exist is looked for on this node, and only beneath the directory', async (t) => {
  await withDirectory(async (root) => {
    await mkdir(`${root}/data/sub`, { recursive: true })
    const paths = ['sub', `${root}/data/sub`, 'missing', '../own', '/etc/passwd']
    const config = configOf({ dir: `${root}/data`, tocheck: paths.map((path) => ({ path })) })
    const { errors } = await check(config, contextOf(root))
    t.deepEqual(
      errors.map(({ path, message }) => `${path} ${message.replaceAll(root, '')}`),
      [
        '/rfs/replicated/0/tocheck/2/path /data/missing does not exist on this node',
        '/rfs/replicated/0/tocheck/3/path "../own" is not beneath /data',
        '/rfs/replicated/0/tocheck/4/path "/etc/passwd" is not beneath /data',
      ],
    )
  })
})

test('a port that somebody else listens on is one error', async (t) => {
  await withDirectory(async (root) => {
    await mkdir(`${root}/data`)
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(portOf(moduleId), '127.0.0.1', resolve))
    const { errors } = await check(configOf({ dir: `${root}/data` }), contextOf(root))
    await new Promise((resolve) => server.close(resolve))
    t.deepEqual(
      errors.map(({ message }) => message),
      [
        `TCP port ${String(portOf(moduleId))}, on which the module replicates, is in use on this node`,
      ],
    )
  })
})

test('mountinfo is read with its optional fields and octal characters, and malformed lines are left out', (t) => {
  const text = [
    '36 35 98:0 /mnt1 /mnt/a\\040b rw,noatime shared:1 master:2 - ext3 /dev/root rw,errors=continue',
    'nonsense',
    '37 35 0:44 / /srv ro - fuse.holdfast holdfast rw',
  ].join('\n')
  t.deepEqual(
    parseMountinfo(text).map(({ id, device, point, type, options }) => [
      id,
      device,
      point,
      type,
      options,
    ]),
    [
      [36, '98:0', '/mnt/a b', 'ext3', ['rw', 'noatime']],
      [37, '0:44', '/srv', 'fuse.holdfast', ['ro']],
    ],
  )
})

test("a read-only bind of a directory over itself is ours, the operator's mounts are not", async (t) => {
  await withDirectory(async (root) => {
    for (const name of ['view', 'other', 'disk', 'writable']) await mkdir(`${root}/${name}`)
    const bind = (from: string, to: string, options: string) => {
      execFileSync('mount', ['--bind', from, to])
      execFileSync('mount', ['-o', `remount,bind,${options}`, to])
    }
    bind(`${root}/view`, `${root}/view`, 'ro')
    bind(`${root}/view`, `${root}/other`, 'ro')
    bind(`${root}/writable`, `${root}/writable`, 'rw')
    execFileSync('mount', ['-t', 'tmpfs', 'none', `${root}/disk`])
    bind(`${root}/disk`, `${root}/disk`, 'ro')
    const mounts = await readMounts()
    const isOurs = (name: string) => {
      const top = mountsOn(mounts, `${root}/${name}`).at(-1)
      return top !== undefined && isOurView(mounts, top)
    }
    t.deepEqual(['view', 'other', 'disk', 'writable'].map(isOurs), [true, false, true, false])
    t.deepEqual(
      await unmountLeftovers(
        realExec,
        ['view', 'other', 'disk', 'writable'].map((name) => `${root}/${name}`),
        false,
      ),
      { ok: true },
    )
    const left = await readMounts()
    const count = (name: string) => mountsOn(left, `${root}/${name}`).length
    t.deepEqual(['view', 'other', 'disk', 'writable'].map(count), [0, 1, 1, 1])
  })
})

test('who uses a file system is found by working directory and open file, others are not', async (t) => {
  await withDirectory(async (root) => {
    await mkdir(`${root}/disk`)
    execFileSync('mount', ['-t', 'tmpfs', 'none', `${root}/disk`])
    const inside = spawn('sleep', ['1000'], { cwd: `${root}/disk` })
    const writer = spawn('sh', ['-c', `exec sleep 1000 >${root}/disk/file`])
    const outside = spawn('sleep', ['1000'], { cwd: '/' })
    try {
      const [mount] = mountsOn(await readMounts(), `${root}/disk`)
      await waitFor(`${root}/disk/file`)
      const found = await findUsers(new Set([mount?.device ?? '']), [])
      const holds = (pid: number | undefined) => found.find((one) => one.pid === pid)?.holds
      t.is(holds(inside.pid), 'cwd')
      t.is(holds(writer.pid), `file ${root}/disk/file`)
      t.is(holds(outside.pid), undefined)
      t.deepEqual(await findUsers(new Set(), []), [])
    } finally {
      for (const child of [inside, writer, outside]) child.kill('SIGKILL')
    }
  })
})

async function waitFor(path: string): Promise<void> {
  const deadline = Date.now() + 5_000
  while (Date.now() < deadline) {
    if (
      await stat(path).then(
        () => true,
        () => false,
      )
    )
      return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error(`${path} did not appear`)
}

/** Time goes on only when somebody waits for it. */
function steppedClock(): Clock {
  let now = 0
  return {
    monotonicMs: () => now,
    wallMs: () => now,
    after: (delayMs, call) => {
      now += delayMs
      queueMicrotask(call)
      return () => undefined
    },
    every: () => () => undefined,
    cron: () => () => undefined,
  }
}

test('who holds a directory gets time, then SIGTERM, then SIGKILL; only then it is taken by force', async (t) => {
  const steps: string[] = []
  const clock = steppedClock()
  const verdict = await release(
    {
      clock,
      log: { write: () => undefined },
      unmount: (force) => {
        if (force) steps.push(`force at ${String(clock.monotonicMs())}`)
        return Promise.resolve(
          force ? { ok: true } : { ok: false, code: 'E_RFS_BUSY', reason: 'in use' },
        )
      },
      holders: () => Promise.resolve([{ pid: 42, command: 'postgres', holds: 'cwd' }]),
      signal: (pid, signal) => {
        steps.push(`${signal} ${String(pid)} at ${String(clock.monotonicMs())}`)
      },
    },
    new AbortController().signal,
  )
  t.deepEqual(verdict, { ok: true })
  t.deepEqual(steps, ['SIGTERM 42 at 3000', 'SIGKILL 42 at 8000', 'force at 10000'])
  t.is(
    releaseSteps.reduce((sum, { afterMs }) => sum + afterMs, 0),
    10_000,
  )
})

test('lines of the data plane are answers, events or unknown; anything else is refused', (t) => {
  t.deepEqual(parseLine('{"id":3,"ok":true,"role":"idle"}'), {
    kind: 'answer',
    id: 3,
    answer: { ok: true, fields: { id: 3, ok: true, role: 'idle' } },
  })
  t.like(parseLine('{"id":3,"code":"E_X","reason":"no","hint":"try"}'), {
    kind: 'answer',
    answer: { ok: false, code: 'E_X', reason: 'no', hint: 'try' },
  })
  t.like(parseLine('{"event":"linkLost","epoch":2,"cause":"cut","wasLive":true}'), {
    kind: 'event',
    event: { event: 'linkLost', epoch: 2, cause: 'cut', wasLive: true },
  })
  t.deepEqual(parseLine('{"event":"somethingNew"}'), { kind: 'unknown' })
  for (const line of ['', 'null', '[]', '{', '{"ok":true}', '"x"']) t.is(parseLine(line), undefined)
})
