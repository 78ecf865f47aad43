/** The estimate of a resynchronisation, from a journal's file as a data plane writes it. */
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { openJournal } from '../plane/journal/file.js'
import { estimateOf, linesOf, summaryOf } from './estimate.js'
import { readEstimate } from './read.js'

const zoneBytes = 262_144

test('what was touched is what the estimate tells, and everything where the journal can not be used', (t) => {
  const base = fs.mkdtempSync(join(tmpdir(), `rfs-estimate-${process.pid}-`))
  t.teardown(() => fs.rmSync(base, { recursive: true }))
  const data = join(base, 'data')
  fs.mkdirSync(join(data, 'new/deep'), { recursive: true })
  fs.writeFileSync(join(data, 'new/file'), Buffer.alloc(10_000, 'x'))
  fs.writeFileSync(join(data, 'new/deep/file'), Buffer.alloc(500, 'x'))
  const [directory, bootId] = [join(base, 'journal'), 'this boot']
  const place = { file: join(directory, 'journal'), directories: [data], zoneBytes, bootId }
  t.not(readEstimate(place).everything, undefined, 'there is no journal')
  const journal = openJournal({ directory, zoneBytes, bootId })
  t.not(readEstimate(place).everything, undefined, 'nothing to compare with yet')
  journal.trust('a session')
  journal.touchZone(0, 'known', 2)
  journal.touchZone(0, 'known', 7)
  journal.touchMeta(0, 'other')
  journal.touchEntry(0, 'new')
  journal.touchEntry(0, 'new/file')
  journal.touchEntry(0, 'removed')
  journal.flush()
  t.deepEqual(readEstimate(place), {
    everything: undefined,
    ...{ files: 3, bytes: 10_500, zones: 2, zoneBytes, attributes: 1, more: false },
  })
  t.regex(readEstimate({ ...place, bootId: 'another' }).everything ?? '', /restarted/)
  journal.distrust('a copy was not finished')
  t.is(readEstimate(place).everything, 'a copy was not finished')
  journal.closeClean()
})

test('the time of an estimate follows the limit of the bandwidth, and there is none for a comparison of everything', (t) => {
  const some = estimateOf({ files: 2, bytes: 50_000_000, zones: 4, zoneBytes, attributes: 1 })
  if (some === undefined) throw new Error('it is one')
  t.is(summaryOf(some, undefined).bytesMost, 50_000_000 + 4 * zoneBytes)
  t.is(summaryOf(some, undefined).seconds, 1)
  t.is(summaryOf(some, 1_000_000).seconds, 52)
  t.is(summaryOf({ ...some, everything: 'no journal' }, undefined).seconds, undefined)
  t.regex(
    linesOf(summaryOf({ ...some, everything: 'no journal' }, undefined))[0] ?? '',
    /no journal/,
  )
  t.regex(linesOf(summaryOf({ ...some, more: true }, undefined))[1] ?? '', /^more than 2 files/)
})
