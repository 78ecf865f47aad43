/** Loss of one LAN, in one direction or in both, and then of all, in a network namespace of its own. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { silenceMaxMs } from './stream.js'

interface Outcome {
  /** Of the stream: before, and then as the dialler and the listener know it. */
  readonly lans: readonly string[]
  readonly movedMs: number
  readonly answers: readonly string[]
  /** Why each node lost the stream. */
  readonly causes: readonly (readonly string[])[]
  readonly afterOneCut: readonly string[]
  readonly notReached: readonly unknown[]
  readonly talked: readonly { readonly refused: number[]; readonly received: number[] }[]
}

const scenario = fileURLToPath(new URL('./cut-lan.fixture.js', import.meta.url))
const isRoot = process.getuid?.() === 0
const forRoot = isRoot ? test : test.skip

for (const cut of ['both', 'from the dialler', 'from the listener']) {
  forRoot(
    `the loss of one LAN (${cut}) moves the stream by its heartbeats and silences nobody, the loss of all is silence`,
    async (t) => {
      const run = promisify(execFile)
      const { stdout } = await run('unshare', ['--net', process.execPath, scenario, cut], {
        ...{ timeout: 60_000, maxBuffer: 16 * 1024 * 1024 },
      })
      const outcome = JSON.parse(stdout) as Outcome // Written by the program above.
      const [used, ...moved] = outcome.lans
      const other = used === 'lan0' ? 'lan1' : 'lan0'
      t.deepEqual(moved, [other, other])
      t.deepEqual(outcome.answers, ['from the dialler', 'from the listener'])
      // Whoever waited for the silence of the stream, or dialled over the LAN that is cut, needed as long as that.
      t.true(outcome.movedMs < silenceMaxMs, String(outcome.movedMs))
      t.deepEqual(outcome.notReached, [])
      for (const causes of outcome.causes) {
        t.is(causes.length, 1)
        t.notRegex(causes.join(' '), /silent/)
      }
      t.false(outcome.afterOneCut.some((event) => event.endsWith('peerSilent')))
      for (const { refused, received } of outcome.talked) {
        t.true(received.length > 0)
        t.deepEqual(
          received,
          [...new Set(received)].sort((one, other) => one - other),
          'messages arrive in order, and at most once',
        )
        t.deepEqual(
          received.filter((number) => refused.includes(number)),
          [],
          'what was refused was not sent',
        )
      }
    },
  )
}
