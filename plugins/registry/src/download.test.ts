/** Downloads: connections that break, servers that lie, and what is left behind (nothing). */
import { createHash } from 'node:crypto'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import test from 'ava'
import { addressSource, ArchiveStore } from './download.js'
import { directoryOf, refusal, serverOf } from './rig.fixture.js'

const big = Buffer.from(Array.from({ length: 300_000 }, (_, n) => n % 251))
const bigExpected = {
  sha256: createHash('sha256').update(big).digest('hex'),
  bytes: big.byteLength,
}
const forever = new AbortController().signal

test('a download goes on where the connection broke, and its progress is told', async (t) => {
  const ranges: (string | undefined)[] = []
  const url = await serverOf(t, ({ headers }, response) => {
    ranges.push(headers.range)
    const from = Number(/^bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? 0)
    response.writeHead(from === 0 ? 200 : 206, {
      'content-length': big.byteLength - from,
      'content-range': `bytes ${from}-${big.byteLength - 1}/${big.byteLength}`,
    })
    const until = Math.min(from + 100_000, big.byteLength)
    response.write(big.subarray(from, until), () => {
      if (until < big.byteLength) response.destroy()
      else response.end()
    })
  })
  const store = new ArchiveStore(await directoryOf(t))
  const told: number[] = []
  const path = await store.bring(bigExpected, addressSource(url), forever, (bytes) =>
    told.push(bytes),
  )
  t.deepEqual(await readFile(path), big)
  t.is(ranges[0], undefined)
  t.true(ranges.length > 1 && ranges.slice(1).every((range) => range !== undefined))
  t.is(told.at(-1), big.byteLength)
})

test('a server that knows no ranges starts again, and one that lies leaves nothing behind', async (t) => {
  const directory = await directoryOf(t)
  const store = new ArchiveStore(directory)
  await writeFile(`${store.path(bigExpected.sha256)}.part`, 'old and wrong')
  const whole = await serverOf(t, (_, response) => response.end(big))
  t.deepEqual(
    await readFile(await store.bring(bigExpected, addressSource(whole), forever, () => undefined)),
    big,
  )
  await rm(store.path(bigExpected.sha256))
  const other = await serverOf(t, (_, response) => response.end(Buffer.alloc(big.byteLength)))
  const wrong = await refusal(
    store.bring(bigExpected, addressSource(other), forever, () => undefined),
  )
  t.is(wrong.code, 'E_REGISTRY_HASH')
  const endless = await serverOf(t, (_, response) => response.end(Buffer.alloc(2 * big.byteLength)))
  const long = await refusal(
    store.bring(bigExpected, addressSource(endless), forever, () => undefined),
  )
  t.is(long.code, 'E_REGISTRY_SIZE')
  const missing = await serverOf(t, (_, response) => response.writeHead(404).end())
  const none = await refusal(
    store.bring(bigExpected, addressSource(missing), forever, () => undefined),
  )
  t.regex(none.message, /it answers 404/)
  t.deepEqual(
    (await readdir(directory)).filter((name) => name.endsWith('.safe')),
    [],
  )
})
