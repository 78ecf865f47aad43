/** Real commands for tests that need the real thing: `exec.answer = really()`, or inside of a network namespace. */
import { spawn } from 'node:child_process'
import { HoldfastError } from '../errors.js'
import type { RunResult } from '../services.js'
import type { Ran } from './services.js'

/** `before`: what stands before each command, for example `['ip', 'netns', 'exec', 'a']`. */
export function really(before: readonly string[] = []): (ran: Ran) => Promise<RunResult> {
  return ({ command, args, options }) =>
    new Promise((resolve, reject) => {
      const [program = command, ...rest] = [...before, command, ...args]
      const child = spawn(program, rest, {
        env: { ...process.env, LC_ALL: 'C', ...options.env },
        ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      })
      const output = { stdout: '', stderr: '' }
      child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()))
      child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()))
      child.stdin.on('error', () => undefined) // It may end without reading.
      child.stdin.end(options.input ?? '')
      const kill = (): void => {
        child.kill('SIGKILL')
      }
      const timer = setTimeout(kill, options.timeoutMs)
      options.signal?.addEventListener('abort', kill, { once: true })
      child.once('error', (error) => {
        clearTimeout(timer)
        reject(new HoldfastError('E_EXEC_START', `${command} can't be run: ${error.message}`))
      })
      child.once('close', (code, signal) => {
        clearTimeout(timer)
        const timedOut = signal === 'SIGKILL' && options.signal?.aborted !== true
        resolve({ code: code ?? undefined, signal: signal ?? undefined, timedOut, ...output })
      })
    })
}
