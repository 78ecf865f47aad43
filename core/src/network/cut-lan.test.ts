/** Loss of one LAN and of all, in a network namespace of its own. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'

interface Outcome {
  readonly lans: string[]
  readonly movedMs: number
  readonly answer: string
  readonly afterOneCut: readonly string[]
  readonly silentMs: number
}

const scenario = fileURLToPath(new URL('./cut-lan.fixture.js', import.meta.url))
const isRoot = process.getuid?.() === 0
const forRoot = isRoot ? test : test.skip

forRoot(
  'the loss of one LAN moves the stream and silences nobody, the loss of all is silence',
  async (t) => {
    const run = promisify(execFile)
    const { stdout } = await run('unshare', ['--net', process.execPath, scenario], {
      timeout: 60_000,
    })
    const outcome = JSON.parse(stdout) as Outcome // Written by the program above.
    t.deepEqual(outcome.lans.slice(0, 2).sort(), ['lan0', 'lan1'])
    t.true(outcome.movedMs < 10_000, String(outcome.movedMs))
    t.is(outcome.answer, 'still there')
    t.deepEqual([...outcome.afterOneCut].sort(), [
      'both peerHeard',
      'used peerHeard',
      'used peerSilent',
    ])
    t.true(outcome.silentMs >= 500 && outcome.silentMs < 10_000, String(outcome.silentMs))
  },
)
