/** Archives of another product: what is taken over, what is told, and what a hostile one achieves (nothing). */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HoldfastError } from '@holdfast/sdk'
import test from 'ava'
import { TrustedKeys } from '../trust/keyring.js'
import { type ZipEntry, zipOf } from './archives.fixture.js'
import { convert } from './convert.js'
import { fileOf } from './package.js'
import { Packages } from './packages.js'
import { readZip } from './zip.js'

const config: ZipEntry = {
  name: 'conf/userconfig.xml',
  data: '<safe><service mode="mirror"/></safe>',
}

test('a zip archive is read with its modes, and back slashes of Windows are slashes', async (t) => {
  const zip = zipOf([
    { name: 'bin/', mode: 0o040755 },
    { name: 'bin/start_prim', data: '#!/bin/sh\n', mode: 0o100755 },
    { ...config, name: 'conf\\userconfig.xml', mode: 0 },
  ])
  const files = await readZip(zip, 'a.safe')
  t.deepEqual(
    files.map(({ path, isExecutable }) => [path, isExecutable]),
    [
      ['bin/start_prim', true],
      ['conf/userconfig.xml', false],
    ],
  )
})

const zeros = Buffer.alloc(17 * 1024 * 1024)
const zip64Lie = (): Buffer => {
  // The end record says: look at the zip64 record, which is not there.
  const zip = zipOf([config])
  const end = zip.byteLength - 22
  zip.writeUInt16LE(0xffff, end + 8)
  zip.writeUInt16LE(0xffff, end + 10)
  zip.writeUInt32LE(0xffffffff, end + 16)
  return zip
}
/** All names of the directory lead to the same megabyte. */
function overlapping(names: number): Buffer {
  const entry = { name: 'bin/00', data: Buffer.alloc(1024 * 1024) }
  const one = zipOf([config, entry])
  const last = one.lastIndexOf(Buffer.from('PK\x01\x02'))
  const central = one.subarray(last, -22)
  const more = Array.from({ length: names }, (_, n) => {
    const copy = Buffer.from(central)
    copy.write(`bin/${String(n + 10).padStart(2, '0')}`, 46)
    return copy
  })
  const end = Buffer.from(one.subarray(-22))
  end.writeUInt16LE(2 + names, 8)
  end.writeUInt16LE(2 + names, 10)
  end.writeUInt32LE(end.readUInt32LE(12) + names * central.byteLength, 12)
  return Buffer.concat([one.subarray(0, -22), ...more, end])
}
function pointing(zip: Buffer, offset: number): Buffer {
  zip.writeUInt32LE(offset, zip.byteLength - 6)
  return zip
}
const hostile: readonly [string, () => Buffer][] = [
  ['a path upwards', () => zipOf([config, { name: '../../etc/cron.d/x' }])],
  ['a hidden path upwards', () => zipOf([config, { name: 'bin/..\\..\\x' }])],
  ['an absolute path', () => zipOf([config, { name: '/etc/passwd' }])],
  ['a drive', () => zipOf([config, { name: 'C:\\x' }])],
  ['a link', () => zipOf([config, { name: 'bin/x', data: '/etc/shadow', mode: 0o120777 }])],
  ['a device', () => zipOf([config, { name: 'bin/x', mode: 0o020666 }])],
  ['an encrypted file', () => zipOf([{ ...config, flags: 0x801 }])],
  ['a bomb', () => zipOf([config, { name: 'bin/x', data: zeros }])],
  ['a bomb that says it is small', () => zipOf([config, { name: 'bin/x', data: zeros, size: 10 }])],
  [
    'a file that says it is huge',
    () => zipOf([config, { name: 'bin/x', data: 'x', size: 0xfffffff0 }]),
  ],
  ['an unknown method', () => zipOf([config, { name: 'bin/x', data: 'x', method: 99 }])],
  ['more entries than there are', () => zipOf([config], 60_000)],
  ['a zip64 record that is not there', zip64Lie],
  ['too many entries', () => zipOf(Array.from({ length: 2_001 }, (_, n) => ({ name: `d${n}/` })))],
  ['its end cut off', () => zipOf([config]).subarray(0, -10)],
  ['damaged content', () => zipOf([config]).fill(0xff, 52, 60)],
  ['a place in a network', () => zipOf([config, { name: '\\\\server\\share\\x' }])],
  ['an end of a text in a name', () => zipOf([config, { name: 'bin/x\0.sh' }])],
  ['no name', () => zipOf([config, { name: '' }])],
  ['a space at the end of a name', () => zipOf([config, { name: 'bin/x ' }])],
  ['a program before it', () => Buffer.concat([Buffer.from('#!/bin/sh\n'), zipOf([config])])],
  ['something behind it', () => Buffer.concat([zipOf([config]), Buffer.from('x')])],
  ['one content under many names', () => overlapping(64)],
  ['a directory that is elsewhere', () => pointing(zipOf([config]), 0xfffffff0)],
]

for (const [what, make] of hostile) {
  test(`a zip archive with ${what} is refused, and nothing is left behind`, async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'holdfast-zip-'))
    t.teardown(() => rm(directory, { recursive: true }))
    const path = join(directory, 'a.safe')
    await writeFile(path, make())
    const keys = new TrustedKeys({ etc: directory })
    const packages = new Packages({ keys, plugins: () => [], examine: () => [] })
    const error = await t.throwsAsync(packages.load({ path }), { instanceOf: HoldfastError })
    t.is(error.code, 'E_PACKAGE_INVALID')
    t.deepEqual(await readdir(directory), ['a.safe'])
  })
}

test('a zip archive with a file twice, or without a configuration, is refused', async (t) => {
  const options = { id: 'a', origin: 'a.safe', examine: () => [] }
  const twice = await readZip(zipOf([config, config]), 'a.safe')
  t.throws(() => convert(twice, options), { instanceOf: HoldfastError, message: /twice/ })
  const none = await readZip(zipOf([{ name: 'bin/x' }]), 'a.safe')
  t.throws(() => convert(none, options), {
    instanceOf: HoldfastError,
    message: /userconfig.xml is missing/,
  })
})

test('what is not supported is left out and told with its place; scripts are made to run', async (t) => {
  const xml = `<safe>
  <macro name="VM" value="vm1"/>
  <service mode="mirror" maxloop="3">
    <errd><proc name="%VM%"/></errd>
    <user/>
  </service>
</safe>`
  const files = await readZip(
    zipOf([
      { ...config, data: xml, mode: 0 },
      {
        name: 'bin/start_prim',
        data: '#!/bin/sh\r\n# safekit start\r\nsafekit stop -i start_prim\r\n',
        mode: 0,
      },
      { name: 'bin/start_prim.ps1', data: 'x', mode: 0 },
      { name: 'web/index.html', data: 'x', mode: 0 },
      { name: 'manifest.xml', data: 'x', mode: 0 },
    ]),
    'a.safe',
  )
  const examine = (text: string): { line: number; column: number; message: string }[] => {
    const places: readonly [string, string][] = [
      ['maxloop=', 'unknown attribute'],
      ['<errd', 'unknown element'],
    ]
    return text.split('\n').flatMap((line, index) =>
      places.flatMap(([what, message]) => {
        const column = line.includes('<!--') ? 0 : line.indexOf(what) + 1
        return column === 0 ? [] : [{ line: index + 1, column, message }]
      }),
    )
  }
  const { package: sources, report } = convert(files, {
    id: 'kvm',
    origin: '/tmp/kvm.safe',
    examine,
  })
  t.deepEqual(report, [
    'conf/userconfig.xml:3:26: maxloop="3" of <service>: left out: unknown attribute',
    'conf/userconfig.xml:4:5: <errd>: left out: unknown element',
    'bin/start_prim:3: calls the command of the other product; write the one of holdfast: safekit stop -i start_prim',
    'bin/start_prim: line ends changed to those of Unix',
    'bin/start_prim.ps1: left out, scripts for Windows are not supported',
    'web/index.html: left out, pages of an older console are not used',
    'manifest.xml: left out, replaced by module.json',
  ])
  t.deepEqual(
    sources.files.map(({ path }) => path),
    ['bin/start_prim', 'conf/userconfig.xml', 'module.json'],
  )
  t.true(sources.files[0]?.isExecutable)
  t.is(
    fileOf(sources, 'conf/userconfig.xml'),
    `<safe>
  <macro name="VM" value="vm1"/>
  <service mode="mirror">
    <!-- not supported: <errd>
  <proc name="%VM%"/>
</errd> -->
    <user/>
  </service>
</safe>
`,
  )
  t.regex(fileOf(sources, 'module.json') ?? '', /"title": "kvm, converted from kvm.safe"/)
})
