/** Archives: what is read back is what was packed, and everything hostile is refused with one error. */
import { gunzipSync, gzipSync } from 'node:zlib'
import test from 'ava'
import { makeArchive, parseArchive } from './archive.js'
import { type TarEntry, tarOf } from './archives.fixture.js'
import { listOf } from './listing.js'
import { type Files, packageOf, refusal, shop } from './shop.fixture.js'

test('an archive is read back as what was packed, and the same files give the same bytes', async (t) => {
  const sources = packageOf(shop)
  const packed = await makeArchive(sources, undefined)
  const read = await parseArchive(packed, 'shop.safe')
  t.deepEqual(read.package, sources)
  t.is(read.signature, undefined)
  const again = packageOf(Object.fromEntries(Object.entries(shop).toReversed()))
  t.deepEqual(await makeArchive(again, undefined), packed)
  const names = gunzipSync(packed).toString('latin1')
  t.true(names.startsWith('module.json\0'))
})

const list = (files: Files): TarEntry => ({
  name: 'files.json',
  data: listOf(packageOf(files).files),
})
const entry = (name: string, data = shop[name] ?? ''): TarEntry => ({
  ...{ name, data, mode: name.startsWith('bin/') ? 0o755 : 0o644 },
})
/** The first size as a binary number of 11 bytes. */
function hugeSize(tar: Buffer): Buffer {
  tar.fill(0xff, 124, 136).writeUInt8(0x80, 124)
  tar.fill(' ', 148, 156)
  const sum = tar.subarray(0, 512).reduce((total, byte) => total + byte, 0)
  tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return tar
}
const head = [entry('module.json'), list(shop)]
const rest = [entry('bin/start_prim'), entry('conf/userconfig.xml')]
const good = [...head, ...rest]
const hostile: readonly [string, () => Buffer, RegExp][] = [
  ['a path upwards', () => tarOf([...good, { name: '../../etc/cron.d/x' }]), /path/],
  ['a hidden path upwards', () => tarOf([...good, { name: 'bin/../../x' }]), /path/],
  ['an absolute path', () => tarOf([...good, { name: '/etc/passwd' }]), /path/],
  ['a symbolic link', () => tarOf([...good, { name: 'bin', type: '2', link: '/etc' }]), /Link/],
  ['a hard link', () => tarOf([...good, { name: 'bin/x', type: '1', link: '/x' }]), /Link/],
  ['a device', () => tarOf([...good, { name: 'bin/x', type: '3' }]), /Device/],
  ['a fifo', () => tarOf([...good, { name: 'bin/x', type: '6' }]), /FIFO/],
  ['a file twice', () => tarOf([...good, entry('bin/start_prim')]), /twice/],
  ['a twin in other case', () => tarOf([...good, { name: 'bin/Start_Prim' }]), /same place/],
  [
    'a file that is a directory',
    () => tarOf([...good, { name: 'bin/start_prim/x' }]),
    /same place/,
  ],
  ['a line break in a name', () => tarOf([...good, { name: 'bin/a\nb' }]), /path/],
  ['a back slash in a name', () => tarOf([...good, { name: 'bin\\x' }]), /path/],
  [
    'a file that the list does not name',
    () => tarOf([...good, { name: 'bin/x' }]),
    /"bin\/x" is in it/,
  ],
  [
    'a missing file',
    () => tarOf([...head, rest[1] ?? { name: '' }]),
    /"bin\/start_prim" is in files.json/,
  ],
  [
    'other bytes than listed',
    () => tarOf([...head, entry('bin/start_prim', '#!/bin/no\n'), entry('conf/userconfig.xml')]),
    /SHA-256/,
  ],
  [
    'another mode than listed',
    () =>
      tarOf([
        ...head,
        { ...rest[0], name: 'bin/start_prim', mode: 0o644 },
        entry('conf/userconfig.xml'),
      ]),
    /mode/,
  ],
  ['no list', () => tarOf([entry('module.json'), ...rest]), /does not begin with/],
  [
    'no module.json at its beginning',
    () => tarOf([list(shop), entry('module.json'), ...rest]),
    /does not begin with/,
  ],
  [
    'a list that is no list',
    () => tarOf([entry('module.json'), { name: 'files.json', data: '{}' }, ...rest]),
    /malformed/,
  ],
  [
    'a list that is no JSON',
    () => tarOf([entry('module.json'), { name: 'files.json', data: '{' }, ...rest]),
    /not JSON/,
  ],
  ['a second list', () => tarOf([...good, list(shop)]), /keeps for itself|twice|too late/],
  ['more bytes promised than there are', () => tarOf([...good, { name: 'bin/x', size: 1e9 }]), /./],
  [
    'a header of 100 KB',
    () => tarOf([{ name: 'x', type: 'x', data: `100000 path=${'a'.repeat(99_000)}\n` }, ...good]),
    /./,
  ],
  [
    'too many files',
    () =>
      tarOf([...good, ...Array.from({ length: 1_001 }, (_, n) => ({ name: `bin/${String(n)}` }))]),
    /1000 files/,
  ],
  [
    'too many directories',
    () =>
      tarOf([
        ...good,
        ...Array.from({ length: 2_001 }, (_, n) => ({ name: `d${String(n)}/`, type: '5' })),
      ]),
    /too many entries/,
  ],
  ['a wrong checksum in tar', () => tarOf(good).fill(0x41, 0, 20), /./],
  [
    'a path in an extended header',
    () => tarOf([...head, { name: 'x', type: 'x', data: '23 path=bin/start_prim\n' }, ...rest]),
    /extended header/,
  ],
  [
    'a size in an extended header',
    () => tarOf([...head, { name: 'x', type: 'x', data: '13 size=-512\n' }, ...rest]),
    /extended header/,
  ],
  [
    'an extended header for all files',
    () => tarOf([{ name: 'x', type: 'g', data: '24 linkpath=/etc/passwd\n' }, ...good]),
    /extended header/,
  ],
  [
    'the real size of a sparse file',
    () => tarOf([{ name: 'x', type: 'x', data: '33 GNU.sparse.realsize=99999999\n' }, ...good]),
    /extended header/,
  ],
  [
    'a long name of another tool',
    () => tarOf([...good, { name: '././@LongLink', type: 'L', data: '../../x\0' }, entry('bin/y')]),
    /extended header/,
  ],
  [
    'a hard link with a long name',
    () =>
      tarOf([...good, { name: 'x', type: 'K', data: '/etc/shadow\0' }, { name: 'y', type: '1' }]),
    /./,
  ],
  ['a sparse file', () => tarOf([...good, { name: 'bin/y', type: 'S' }]), /Sparse/],
  ['a list of a directory', () => tarOf([...good, { name: 'bin/y', type: 'D' }]), /GNUDumpDir/],
  ['a part of a file', () => tarOf([...good, { name: 'bin/y', type: 'M' }]), /Continuation/],
  ['a type that nobody knows', () => tarOf([...good, { name: 'bin/y', type: 'Z' }]), /./],
  ['a name of a device', () => tarOf([...good, { name: 'bin/NUL.txt' }]), /path/],
  ['a dot at the end of a name', () => tarOf([...good, { name: 'bin/start_prim.' }]), /path/],
  ['a stream in a name', () => tarOf([...good, { name: 'bin/start_prim:x' }]), /path/],
  ['a letter that looks like another', () => tarOf([...good, { name: 'bin/start_prım' }]), /path/],
  ['a size beyond all numbers', () => hugeSize(tarOf(good)), /./],
  ['no end', () => tarOf(good).subarray(0, -1_024), /does not end where/],
  [
    'something behind its end',
    () => Buffer.concat([tarOf(good), Buffer.alloc(1_024, 65)]),
    /does not end where/,
  ],
  [
    'another archive behind its end',
    () => Buffer.concat([tarOf(good), tarOf([entry('bin/y')])]),
    /does not end where/,
  ],
]

for (const [what, make, message] of hostile) {
  test(`an archive with ${what} is refused with one error`, async (t) => {
    const error = await refusal(parseArchive(gzipSync(make()), 'x.safe'))
    t.is(error.code, 'E_PACKAGE_INVALID')
    t.regex(error.message, message)
    t.true(error.message.startsWith('x.safe '))
  })
}

const packed = gzipSync(tarOf(good))
const noArchives: readonly [string, Buffer][] = [
  ['100 MB of zeros', gzipSync(Buffer.alloc(100_000_000))],
  ['a damaged gzip file', gzipSync(tarOf(good)).subarray(0, 60)],
  ['a truncated archive', gzipSync(tarOf(good).subarray(0, 2_000))],
  ['plain tar', tarOf(good)],
  ['an archive with another behind it', Buffer.concat([packed, gzipSync(tarOf([entry('bin/y')]))])],
  ['an archive with text behind it', Buffer.concat([packed, Buffer.from('#!/bin/sh\n')])],
  ['nothing', Buffer.alloc(0)],
]

for (const [what, data] of noArchives) {
  test(`${what} is no archive`, async (t) => {
    const error = await refusal(parseArchive(data, 'x.safe'))
    t.is(error.code, 'E_PACKAGE_INVALID')
  })
}
