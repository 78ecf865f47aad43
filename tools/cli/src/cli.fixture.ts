/** For tests: the real program as a child process, talking to nodes that only remember. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type FakeNode, moduleStateOf, startFakeNodes } from '@holdfast/plugin-api/testing'
import type { ExecutionContext } from 'ava'

export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export const program = fileURLToPath(new URL('main.js', import.meta.url))

export interface Setting {
  readonly socket: string
  readonly environment?: Readonly<Record<string, string>>
  readonly input?: string
  /** End it when its output says so. */
  readonly until?: (out: string) => boolean
}

export function holdfast(setting: Setting, ...words: readonly string[]): Promise<Ended> {
  return run(process.execPath, [program, ...words], setting)
}

export function run(command: string, words: readonly string[], setting: Setting): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const { PATH = '' } = process.env
    const env = { PATH, HOLDFAST_SOCKET: setting.socket, ...setting.environment }
    const child = spawn(command, words, { env, timeout: 60_000 })
    let [out, err] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      out += chunk
      if (setting.until?.(out) === true) child.kill()
    })
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (err += chunk))
    child.once('error', reject)
    child.once('close', (code) => {
      resolve({ code, out, err })
    })
    // A command that does not read its input may have ended before it is written.
    child.stdin.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') reject(error)
    })
    child.stdin.end(setting.input ?? '')
  })
}

export async function nodes(
  t: ExecutionContext,
  ...names: readonly string[]
): Promise<readonly FakeNode[]> {
  const started = await startFakeNodes(names)
  t.teardown(started.stop)
  return started.nodes
}

export async function pair(t: ExecutionContext): Promise<readonly [FakeNode, FakeNode]> {
  const [n1, n2] = await nodes(t, 'n1', 'n2')
  if (n1 === undefined || n2 === undefined) throw new Error('no nodes')
  for (const { control } of [n1, n2]) control.addModule('web', moduleStateOf('STOP', 'NotReady'))
  return [n1, n2]
}
