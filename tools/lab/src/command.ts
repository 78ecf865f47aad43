/** Runs external commands for the lab: never a shell, always a time-out, and an error that says what failed. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { dirname } from 'node:path'

/** Something that the lab was asked to do and could not; `message` names the command and what it said. */
export class LabError extends Error {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'LabError'
  }
}

export interface CommandOptions {
  /** Default 30 s; then SIGKILL to the whole process group. */
  readonly timeoutMs?: number
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

export interface CommandResult {
  /** Undefined when a signal or the time-out ended it. */
  readonly code: number | undefined
  readonly timedOut: boolean
  /** At most 8 MiB each; the rest is cut. */
  readonly stdout: string
  readonly stderr: string
}

const outputBytesMax = 8 * 1024 * 1024
/** How long output may stay open after its process ended: a background child may have inherited it. */
const outputGraceMs = 500

/** Runs a command to its end. A failure of the command is in the result; only a command that can't be started throws. */
export function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd ?? '/',
      env: { ...baseEnvironment(), ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    })
    const stdout = collect(child.stdout)
    const stderr = collect(child.stderr)
    let timedOut = false
    const timer = setTimeout(() => {
      timedOut = true
      killGroup(child)
    }, options.timeoutMs ?? 30_000)
    child.on('error', (cause) => {
      clearTimeout(timer)
      reject(new LabError(`cannot run ${command}: ${cause.message}`, { cause }))
    })
    child.on('exit', (code) => {
      clearTimeout(timer)
      const finish = (): void => {
        clearTimeout(grace)
        resolve({ code: code ?? undefined, timedOut, stdout: stdout.text(), stderr: stderr.text() })
      }
      const grace = setTimeout(() => {
        child.stdout.destroy()
        child.stderr.destroy()
      }, outputGraceMs)
      child.on('close', finish)
    })
    // A command that ends without reading its input is no failure of ours.
    child.stdin.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') reject(error)
    })
    child.stdin.end(options.input ?? '')
  })
}

/** Like `runCommand`, but anything else than exit code 0 throws. Returns what it printed. */
export async function mustRun(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const result = await runCommand(command, args, options)
  if (result.code !== 0) {
    const how = result.timedOut ? 'took too long' : `failed (${result.code ?? 'killed'})`
    const said = (result.stderr || result.stdout).trim()
    throw new LabError(`${command} ${args.join(' ')} ${how}: ${said}`)
  }
  return result.stdout
}

/** Starts a lasting process in a session of its own, its output appended to a file. */
export function startDetached(
  command: string,
  args: readonly string[],
  options: { readonly logFile: string },
): ChildProcess {
  const log = openSync(options.logFile, 'a')
  try {
    const child = spawn(command, args, {
      cwd: '/',
      env: baseEnvironment(),
      stdio: ['ignore', log, log],
      detached: true,
    })
    child.unref()
    return child
  } finally {
    closeSync(log)
  }
}

/**
 * What a machine's service manager would give, whoever started us: npm puts `node_modules/.bin` first in the PATH,
 * and a package there has a program named `nft` that is not the one of nftables. `/run/bin` is the hosts' own.
 */
export function baseEnvironment(): Record<string, string> {
  const system = '/run/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
  const terminal = process.env['TERM']
  return {
    PATH: `${dirname(process.execPath)}:${system}`,
    HOME: process.env['HOME'] ?? '/root',
    LANG: 'C.UTF-8',
    ...(terminal === undefined ? {} : { TERM: terminal }),
  }
}

function collect(stream: NodeJS.ReadableStream): { text(): string } {
  const chunks: Buffer[] = []
  let bytes = 0
  stream.on('data', (chunk: Buffer) => {
    if (bytes < outputBytesMax) chunks.push(chunk)
    bytes += chunk.length
  })
  return { text: () => Buffer.concat(chunks).subarray(0, outputBytesMax).toString('utf8') }
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
