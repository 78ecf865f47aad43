/** What the benchmarks make of measurements: figures, lines and refusals. The measuring itself needs two nodes and is run by hand. */
import test from 'ava'
import { ticksOf } from './cpu.js'
import { childrenTicks, mappingsOf } from './idle/processes.js'
import { idleLine, idleTable, moduleRows } from './idle/words.js'
import { parseCommand } from './options.js'
import { jsonLine, table } from './report.js'
import type { Row, SideFigures } from './rounds.js'
import type { SideName } from './sides/side.js'
import { median, orderOfRound, percentile, rounded } from './statistics.js'
import { parseFio } from './workloads/fio-output.js'
import { chosenWorkloads, workloads } from './workloads/index.js'
import { parsePgbench } from './workloads/pgbench.js'

const fioReport = (error: number, operations: number): string =>
  `fio: waiting for connection\n${JSON.stringify({
    jobs: [
      {
        error,
        write: {
          iops: 1234.5,
          bw_bytes: 5_000_000,
          total_ios: operations,
          clat_ns: { percentile: { '50.000000': 2_500, '99.000000': 13_760 } },
        },
        sync: { lat_ns: { percentile: { '50.000000': 35_584, '99.000000': 1_466_368 } } },
      },
    ],
  })}`

const figures = (value: number, cpu: number | undefined): SideFigures => ({
  ...{ value, least: value - 1, most: value + 1 },
  ...{ p50us: 60.123456, p99us: 250, cpuUsPerOperation: cpu },
})

const row = (...sides: readonly (readonly [SideName, SideFigures])[]): Row => ({
  ...{ workload: 'write-4k', title: '4 KiB write, 1 job', unit: 'IOPS', rounds: 5 },
  sides: new Map(sides),
})

test('a median ignores one round that went wrong, a percentile is a value that was measured', (t) => {
  t.is(median([3, 1_000, 1]), 3)
  t.is(median([4, 2]), 3)
  t.is(median([]), NaN)
  t.is(percentile([5, 1, 4, 2, 3], 50), 3)
  t.is(percentile([1, 2, 3, 4], 99), 4)
  t.is(percentile([], 50), NaN)
  t.is(rounded(0.123456), 0.1235)
  t.is(rounded(123_456.7), 123_457)
})

test('each side is first, and follows each other one, equally often', (t) => {
  const rounds = [0, 1, 2].map((round) => orderOfRound(['native', 'holdfast', 'peer'], round))
  t.deepEqual(rounds.map(([first]) => first).sort(), ['holdfast', 'native', 'peer'])
  for (const round of rounds) t.is(new Set(round).size, 3)
})

test('processor time is found behind a process name with spaces and parentheses', (t) => {
  t.is(ticksOf('42 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 30 12 0 0 20 0 11 0 99'), 42)
})

test('the figures of fio are those of the wanted direction, and no figure is made of an error', (t) => {
  const { direction, sync } = parseFio(fioReport(0, 10), 'write')
  t.deepEqual(direction, {
    ...{ iops: 1234.5, bytesPerSecond: 5_000_000, operations: 10, p50us: 2.5, p99us: 13.76 },
  })
  t.is(sync.p99us, 1466.368)
  t.throws(() => parseFio(fioReport(5, 10), 'write'), { message: /error 5/ })
  t.throws(() => parseFio(fioReport(0, 0), 'write'), { message: /did not write/ })
  t.throws(() => parseFio(fioReport(0, 10), 'read'), { message: /did not read/ })
})

test('a pgbench run with failed transactions, or without a summary, gives no figure', (t) => {
  const good = 'number of transactions actually processed: 4203\ntps = 841.2 (without …)\n'
  t.deepEqual(parsePgbench(good), { tps: 841.2, transactions: 4203 })
  t.throws(() => parsePgbench(`number of failed transactions: 3 (0.1%)\n${good}`))
  t.throws(() => parsePgbench('pgbench: error: connection to server failed'))
})

test('a line of JSON has the published fields, and null for what was not measured', (t) => {
  const stand = { disks: 'memory', nodes: '2', roundTripUs: 52.51 } as const
  const alone = JSON.parse(
    jsonLine(row(['native', figures(1_000, undefined)], ['holdfast', figures(250, 31)]), stand),
  )
  t.like(alone, { workload: 'write-4k', unit: 'IOPS', native: 1000, holdfast: 250, ratio: 0.25 })
  t.like(alone, { roundTripUs: 52.51, disks: 'memory', nodes: 2 })
  t.like(alone, { p50us: 60.12, p99us: 250, glusterfs: null, rounds: 5, cpuUsPerOperation: 31 })
  const withPeer = row(
    ['native', figures(1_000, undefined)],
    ['holdfast', figures(250, 31)],
    ['glusterfs', figures(50, 90)],
  )
  t.like(JSON.parse(jsonLine(withPeer, stand)), {
    glusterfs: 50,
    timesGlusterfs: 5,
  })
  t.false(table([row(['native', figures(1, undefined)])]).includes('glusterfs'))
  t.regex(table([withPeer]), /1000 +250 +0\.25 .* 50 +5$/m)
})

test('every workload that the product is judged by is there once', (t) => {
  const names = workloads.map(({ name }) => name)
  t.is(new Set(names).size, names.length)
  for (const name of [
    ...['write-4k', 'write-4k-4jobs', 'write-fsync-4k', 'write-1m', 'create-4k'],
    ...['read-cached-4k', 'read-uncached-4k', 'pgbench-c1', 'pgbench-c8'],
  ]) {
    t.true(names.includes(name), name)
  }
  t.deepEqual(
    chosenWorkloads(['pgbench-c8', 'write-4k']).map(({ name }) => name),
    ['write-4k', 'pgbench-c8'],
  )
})

test('wrong input is refused with what is allowed, before anything is made', (t) => {
  const refused = (args: readonly string[], message: RegExp): void => {
    t.throws(() => parseCommand(args), { message })
  }
  refused([], /the benchmark that exists is rfs/)
  refused(['resync'], /the benchmark that exists is rfs/)
  refused(['rfs', '--rounds', '0'], /whole number from 1 to 100/)
  refused(['rfs', '--seconds', '1.5'], /whole number from 1 to 60/)
  refused(['rfs', '--peer', 'drbd'], /use glusterfs/)
  refused(['rfs', '--disks', 'fast'], /use memory or tmpfs or plain/)
  refused(['rfs', '--nodes', '3'], /use 1 or 2/)
  refused(['rfs', '--fast'], /--fast/)
  t.throws(() => chosenWorkloads(['write-5k']), { message: /there are write-4k, / })
  t.like(parseCommand(['rfs']), { options: { rounds: 5, warmUp: true, glusterfs: false } })
  t.like(parseCommand(['rfs', '--quick', '--rounds', '2', '--only', 'a,b', '--only', 'c']), {
    options: { rounds: 2, seconds: 1, warmUp: false, only: ['a', 'b', 'c'] },
  })
})

test('what a module adds is what all processes of its node take beyond the daemon alone', (t) => {
  const process = (node: string, role: string, cpuPercent: number, own: number) => ({
    ...{ node, role, cpuPercent, sleepsPerSecond: 2, memory: { own, resident: own * 2 } },
  })
  const alone = [process('n1', 'daemon', 0.5, 100e6), process('n2', 'daemon', 0.25, 90e6)]
  const serving = [
    ...[process('n1', 'daemon', 0.625, 104e6), process('n1', 'data plane', 0.25, 60e6)],
    ...[process('n2', 'daemon', 0.25, 90e6), process('n2', 'data plane', 0.125, 50e6)],
  ]
  const rows = moduleRows(alone, serving)
  const added = rows.filter(({ module }) => module === 'added').map((row) => [row.node, row])
  t.like(Object.fromEntries(added), {
    n1: { cpuPercent: 0.375, sleepsPerSecond: 2, memory: { own: 64e6, resident: 128e6 } },
    n2: { cpuPercent: 0.125, sleepsPerSecond: 2, memory: { own: 50e6, resident: 100e6 } },
  })
  t.is(idleTable(rows).split('\n').length, 2 + rows.length)
  const [first] = rows
  if (first === undefined) throw new Error('there is a row')
  const line: unknown = JSON.parse(idleLine(first))
  t.like(line, { module: 'none', node: 'n1', cpuPercent: 0.5, ownMegabytes: 100 })
})

test('memory is told by mapping, and what was changed of a file is not the file any more', (t) => {
  const smaps = `00400000-00500000 r-xp 00000000 fe:00 1234                       /usr/bin/node
Rss:                 800 kB
Anonymous:             8 kB
7f00-7f10 rw-p 00000000 00:00 0                                  [heap]
Rss:                  40 kB
Anonymous:            40 kB
`
  t.deepEqual(mappingsOf(smaps), [
    { file: '/usr/bin/node', resident: 800 * 1024, anonymous: 8 * 1024 },
    { file: '', resident: 40 * 1024, anonymous: 40 * 1024 },
  ])
  t.is(childrenTicks('42 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 30 12 5 6 20 0 11 0 99'), 11)
})
