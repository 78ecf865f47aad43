/** The sdk's Exec: short-lived commands without a shell, ended with their whole process group at the time-out. */
import { type ChildProcess, spawn } from 'node:child_process'
import { type Exec, HoldfastError, type RunOptions, type RunResult } from '@holdfast/sdk'
import { codeOf } from '../files/atomic.js'

export const outputBytesMax = 1024 * 1024
export const commandsMax = 64

/** At most 64 commands at a time in the whole daemon: more is a bug, not a load. */
export function makeExec(): Exec {
  let running = 0
  return {
    run: async (command, args, options) => {
      if (running >= commandsMax) {
        throw new HoldfastError('E_EXEC_BUSY', `${String(running)} commands run already`)
      }
      running += 1
      try {
        return await runCommand(command, args, options)
      } finally {
        running -= 1
      }
    },
  }
}

async function runCommand(
  command: string,
  args: readonly string[],
  options: RunOptions,
): Promise<RunResult> {
  options.signal?.throwIfAborted()
  const child = spawn(command, args, {
    shell: false,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, LC_ALL: 'C', ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  })
  const output = { stdout: new Output(), stderr: new Output() }
  child.stdout.on('data', (chunk: Buffer) => {
    output.stdout.add(chunk)
  })
  child.stderr.on('data', (chunk: Buffer) => {
    output.stderr.add(chunk)
  })
  child.stdin.on('error', () => undefined) // The command may end without reading: that is its right.
  child.stdin.end(options.input ?? '')
  return await ended(child, command, options, output)
}

async function ended(
  child: ChildProcess,
  command: string,
  options: RunOptions,
  output: { readonly stdout: Output; readonly stderr: Output },
): Promise<RunResult> {
  return await new Promise<RunResult>((resolve, reject) => {
    let timedOut = false
    const kill = (): void => {
      killGroup(child)
      // A grandchild of another group may hold the pipes: the command itself is over.
      child.stdout?.destroy()
      child.stderr?.destroy()
    }
    const timer = setTimeout(() => {
      timedOut = true
      kill()
    }, options.timeoutMs)
    options.signal?.addEventListener('abort', kill, { once: true })
    const finish = (): void => {
      clearTimeout(timer)
      options.signal?.removeEventListener('abort', kill)
    }
    child.once('error', (error) => {
      finish()
      reject(notStarted(command, error))
    })
    child.once('close', (code, signal) => {
      finish()
      resolve({
        code: timedOut ? undefined : (code ?? undefined),
        signal: signal ?? undefined,
        timedOut,
        stdout: output.stdout.text(),
        stderr: output.stderr.text(),
      })
    })
  })
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch (thrown) {
    if (codeOf(thrown) !== 'ESRCH') throw thrown // It ended by itself meanwhile.
  }
}

function notStarted(command: string, error: Error): HoldfastError {
  return new HoldfastError('E_EXEC_START', `${command} can't be run: ${error.message}`, {
    hint: `install ${command}, or correct PATH of the service`,
    cause: error,
  })
}

class Output {
  private readonly chunks: Buffer[] = []
  private bytes = 0

  add(chunk: Buffer): void {
    const room = outputBytesMax - this.bytes
    if (room <= 0) return
    this.chunks.push(chunk.subarray(0, room))
    this.bytes += Math.min(chunk.byteLength, room)
  }

  text(): string {
    return Buffer.concat(this.chunks).toString('utf8')
  }
}
