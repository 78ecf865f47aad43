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
  const volumes = [{ index: 0, directory: data, notReplicated: [{ path: 'cache' }] }]
  const inCharge = { directory, volumes, zoneBytes, bootId, pid: process.pid }
  const place = { ...inCharge, pid: undefined }
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
  const told = { files: 3, bytes: 10_500, zones: 2, zoneBytes, attributes: 1, more: false }
  t.deepEqual(readEstimate(inCharge), { everything: undefined, ...told })
  t.regex(readEstimate({ ...place, bootId: 'another' }).everything ?? '', /restarted/)
  journal.distrust('a copy was not finished')
  t.is(readEstimate(place).everything, 'a copy was not finished')
  journal.closeClean()
})

test('an estimate has what others changed while the module was stopped, whether it runs again or not', async (t) => {
  const base = fs.mkdtempSync(join(tmpdir(), `rfs-estimate-${process.pid}-`))
  t.teardown(() => fs.rmSync(base, { recursive: true }))
  const data = join(base, 'data')
  fs.mkdirSync(join(data, 'cache'), { recursive: true })
  fs.mkdirSync(join(data, 'directory'))
  for (const name of ['ours', 'quiet']) fs.writeFileSync(join(data, name), 'x')
  const [directory, bootId] = [join(base, 'journal'), 'this boot']
  const volumes = [{ index: 0, directory: data, notReplicated: [{ path: 'cache' }] }]
  const place = { directory, volumes, zoneBytes, bootId, pid: undefined }
  const journal = openJournal({ directory, zoneBytes, bootId })
  journal.trust('a session')
  journal.takeCharge()
  await later(data)
  journal.endCharge()
  journal.closeClean()
  t.like(readEstimate(place), { files: 0, foreign: { names: 0, all: true } })
  fs.writeFileSync(join(data, 'ours'), 'more')
  fs.writeFileSync(join(data, 'directory/new'), Buffer.alloc(1_000))
  fs.writeFileSync(join(data, 'cache/left out'), 'x')
  const found = { files: 2, bytes: 1_004, attributes: 1, foreign: { names: 3, all: true } }
  t.like(readEstimate(place), found)
  const again = openJournal({ directory, zoneBytes, bootId })
  again.takeCharge()
  // What is changed from here on is a matter of the journal.
  await later(data)
  fs.writeFileSync(join(data, 'quiet'), 'written by a program')
  t.like(readEstimate({ ...place, pid: process.pid }), found)
  t.regex(linesOf(summaryOf(readEstimate(place), undefined)).join(), /these 4 names were changed/)
  again.trust('another session')
  t.is(readEstimate({ ...place, pid: process.pid }).foreign, undefined)
  again.closeClean()
})

/** Some ticks of the clock after the last change. */
async function later(data: string): Promise<void> {
  const names = fs.readdirSync(data).map((name) => join(data, name))
  const last = Math.max(...[data, ...names].map((path) => fs.statSync(path).ctimeMs))
  while (Date.now() < last + 50) await new Promise((resolve) => setTimeout(resolve, 5))
}

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
