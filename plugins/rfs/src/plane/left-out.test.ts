/** What is not replicated, directories with blanks, and journals whose presuppositions changed: on two data planes. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import ava from 'ava'
import { Exclusions, ruleProblem } from './exclusions.js'
import { TestPlane, differences, join2, pair, pairWith, shell } from './plane.fixture.js'

const test = ava.serial

test('rules leave out a path with all beneath it, what an expression finds, and with ! what it does not find', (t) => {
  const paths = new Exclusions([{ path: 'cache/tmp' }])
  t.true(paths.matches('cache/tmp', true))
  t.true(paths.covers('cache/tmp/a/b', false))
  t.false(paths.covers('cache/tmp2', false))
  t.true(paths.reachesInto('cache'))
  const found = new Exclusions([{ regexpath: '\\.(log|[[:digit:]]+)$' }])
  t.true(found.matches('a/b.log', false))
  t.true(found.matches('a/b.17', false))
  t.false(found.matches('a/b.log.txt', false))
  const only = new Exclusions([{ regexpath: '!\\.db$' }])
  t.false(only.matches('a/b.db', false))
  t.true(only.matches('a/b.txt', false))
  t.false(only.matches('a', true), 'directories lead to files that may match')
  const utf8 = Buffer.from('größe').toString('latin1')
  t.true(new Exclusions([{ path: 'größe' }]).matches(utf8, false))
  for (const rule of [{}, { path: '/abs' }, { path: 'a/../b' }, { regexpath: '!(' }]) {
    t.is(typeof ruleProblem(rule), 'string', JSON.stringify(rule))
  }
  t.is(ruleProblem({ path: 'a b/c' }), undefined)
})

test('what is left out stays on its own node: not copied, not compared, not sent, not removed', async (t) => {
  const rules = [{ path: 'cache' }, { regexpath: '\\.tmp$' }]
  await pairWith(rules, async (server, follower) => {
    mkdirSync(join(follower.directory, 'cache'))
    writeFileSync(join(follower.directory, 'cache/own'), 'of the follower')
    writeFileSync(join(follower.directory, 'extra'), 'goes away')
    await shell(
      `cd '${server.directory}'; mkdir cache keep; echo s > cache/s; echo k > keep/k; echo t > keep/t.tmp`,
    )
    await join2(server, follower)
    const f = follower.directory
    t.is(readFileSync(join(f, 'cache/own'), 'utf8'), 'of the follower')
    t.false(existsSync(join(f, 'cache/s')))
    t.false(existsSync(join(f, 'extra')))
    t.false(existsSync(join(f, 'keep/t.tmp')))
    await shell(
      `cd '${server.directory}'; echo 2 > cache/live; mkdir cache/d; mv cache/live cache/d/; echo 3 > keep/u.tmp; ` +
        `mv keep/u.tmp keep/v.tmp; rm keep/t.tmp; echo both > keep/both; ln keep/both keep/link; chmod 700 cache; sync -f .`,
    )
    await server.must('drain')
    t.is((await follower.must('status'))['link'], 'live')
    t.deepEqual((await shell(`cd '${f}'; find . | sort`)).split('\n'), [
      ...['.', './cache', './cache/own', './keep', './keep/both', './keep/k', './keep/link', ''],
    ])
    await shell(`cd '${server.directory}'; rm -r cache keep/v.tmp`)
    await server.must('drain')
    // What differs at the end is exactly what the follower has for itself.
    t.is((await differences(server.directory, f)).trim(), 'cache: missing: no | yes')
  })
})

test('a rename or a link between what is replicated and what is not is refused as between file systems', async (t) => {
  const rules = [{ path: 'a/cache' }, { regexpath: '^x/.*\\.tmp$' }]
  await pairWith(rules, async (server, follower) => {
    await join2(server, follower)
    const at = server.directory
    await shell(
      `cd '${at}'; mkdir -p a/cache x y e; echo 1 > a/cache/f; echo 2 > g; echo 3 > x/t.tmp`,
    )
    const errno = (from: string, to: string): string => {
      try {
        renameSync(join(at, from), join(at, to))
        return 'done'
      } catch (error) {
        return error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
      }
    }
    t.is(errno('a/cache/f', 'f'), 'EXDEV')
    t.is(errno('g', 'a/cache/g'), 'EXDEV')
    t.is(errno('a', 'b'), 'EXDEV', 'its cache would be replicated from now on')
    t.is(errno('x', 'z'), 'EXDEV', 'its .tmp would be replicated from now on')
    t.is(errno('y', 'z'), 'done')
    t.is(errno('a/cache/f', 'a/cache/f2'), 'done')
    await t.throwsAsync(shell(`ln '${at}/g' '${at}/a/cache/g'`), { message: /cross-device/i })
    // A program that knows what EXDEV means gets on: the file is copied.
    await shell(`mv '${at}/a/cache/f2' '${at}/f'`)
    await server.must('drain')
    t.is(readFileSync(join(follower.directory, 'f'), 'utf8'), '1\n')
    t.is((await follower.must('status'))['link'], 'live')
  })
})

test('a directory that goes away takes along what only the follower had in it', async (t) => {
  await pairWith([{ regexpath: '\\.tmp$' }], async (server, follower) => {
    await shell(
      `mkdir -p '${server.directory}/d' '${server.directory}/r/into' '${server.directory}/r/from'`,
    )
    await join2(server, follower)
    await follower.kill()
    follower.unmount()
    for (const d of ['d', 'r/into']) writeFileSync(join(follower.directory, d, 'own.tmp'), 'x')
    await follower.start()
    await server.must('detach', { epoch: 2, generation: 'g2' })
    await join2(server, follower, 3)
    t.true(existsSync(join(follower.directory, 'd/own.tmp')))
    await shell(`cd '${server.directory}'; rmdir d; mv -T r/from r/into`)
    await server.must('drain')
    t.is((await follower.must('status'))['link'], 'live')
    t.is(await differences(server.directory, follower.directory), '')
  })
})

/** Lets both end in order, changes something, and tells why the next copy has its scope. */
async function scopeAfter(
  server: TestPlane,
  follower: TestPlane,
  change: () => [TestPlane, TestPlane],
): Promise<string> {
  await follower.must('unfollow')
  await server.must('unserve', { force: false })
  await server.kill()
  await follower.kill()
  const [next, other] = change()
  try {
    await next.start()
    await other.start()
    await next.must('serve', { generation: 'g3', alone: true })
    const from = next.events.length
    await join2(next, other, 9)
    const scoped = next.events.slice(from).find(({ name }) => name === 'copyScoped')
    return JSON.stringify(scoped?.['fields'])
  } finally {
    // Before its files are looked at: they must not be those of a mount that nobody serves.
    for (const plane of [next, other]) {
      await plane.kill()
      plane.unmount()
    }
  }
}

test('a directory that is added is compared, not believed to be equal because the journals say nothing of it', async (t) => {
  await pair(async (server, follower) => {
    await shell(`echo 1 > ${server.directory}/f`)
    await join2(server, follower)
    const more = (plane: TestPlane): TestPlane => {
      const directory = join(plane.base, 'more')
      mkdirSync(directory)
      return plane.with({ volumes: [...plane.launch.volumes, { index: 1, directory }] })
    }
    const why = await scopeAfter(server, follower, () => {
      const both: [TestPlane, TestPlane] = [more(server), more(follower)]
      writeFileSync(join(server.base, 'more/there'), 'before')
      return both
    })
    t.regex(why, /"all".*list of directories/)
    t.is(readFileSync(join(follower.base, 'more/there'), 'utf8'), 'before')
  })
})

test('a follower whose directory was made anew is compared, although its journal is whole', async (t) => {
  await pair(async (server, follower) => {
    await shell(`echo 1 > ${server.directory}/f`)
    await join2(server, follower)
    const why = await scopeAfter(server, follower, () => {
      rmSync(follower.directory, { recursive: true })
      mkdirSync(follower.directory)
      return [server, follower]
    })
    t.regex(why, /"all".*not the one that it was/)
    t.is(readFileSync(join(follower.directory, 'f'), 'utf8'), '1\n')
  })
})

test('an end in order of both nodes leaves nothing to compare but what changed', async (t) => {
  await pair(async (server, follower) => {
    await shell(`echo 1 > ${server.directory}/f`)
    await join2(server, follower)
    t.regex(await scopeAfter(server, follower, () => [server, follower]), /"keys"/)
  })
})

/** The one file system here that shows access lists a second time, as attributes of its own. */
const hasXfs = spawnSync('mkfs.xfs', ['-V']).status === 0

for (const which of ['server', 'follower'] as const) {
  ;(hasXfs ? test : test.skip)(
    `access lists are the same on both sides, and stay so over copies, when the ${which} alone has XFS`,
    async (t) => {
      const server = TestPlane.prepare('server')
      const follower = TestPlane.prepare('follower')
      const own = which === 'server' ? server : follower
      try {
        await shell(`truncate -s 320M ${own.base}/image && mkfs.xfs -q ${own.base}/image`)
        await shell(`mount -o loop,nouuid ${own.base}/image ${own.directory}`)
        await server.start()
        await follower.start()
        await server.must('serve', { generation: 'g1', alone: true })
        await shell(
          `cd ${server.directory}; mkdir d; touch f; setfacl -m u:1234:rw f; setfacl -d -m g:1234:rwx d`,
        )
        for (const epoch of [1, 2]) {
          await join2(server, follower, epoch, true)
          const attributes = await shell(`cd ${follower.directory}; getfattr -m - f d`)
          t.regex(attributes, /posix_acl_access/)
          t.regex(attributes, /posix_acl_default/)
          t.is(/SGI_ACL/.test(attributes), which === 'follower')
          t.is(await differences(server.directory, follower.directory), '')
          await follower.must('unfollow')
          await server.must('detach', { epoch, generation: `g${epoch + 1}` })
        }
      } finally {
        await server.kill()
        await follower.kill()
        server.unmount()
        follower.unmount()
        await shell(`umount -l ${own.directory} || true`)
        await server.remove()
        await follower.remove()
      }
    },
  )
}
