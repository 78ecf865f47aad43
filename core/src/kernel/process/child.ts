/**
 * One child process of a plugin: lines in, lines out, and limits. What breaks a limit is ended, with one sentence why. The
 * child leads a process group of its own, so that nothing that it started stays behind.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Cancel, type Clock, type Log, messageOf } from '@holdfast/sdk'
import { codeOf } from '../../files/atomic.js'
import type { PluginSource } from '../discover.js'
import { type FromChild, lineBytesMax, parseLine, type ToChild } from './messages.js'

export const memoryBytesMax = 256 * 1024 * 1024
/** The kernel's own limit for each process: what is taken between two looks must not endanger the node. */
const dataBytesMax = 2 * memoryBytesMax
const memoryPeriodMs = 1_000
/** A child may write this many lines at once, and this many a second for ever. */
const linesBurstMax = 1_000
const linesPerSecondMax = 100
const errorLineCharactersMax = 500
const pageBytes = 4_096
/** The user `nobody` of every Linux: code that nobody answers for gets nobody's rights. */
const nobody = 65_534

export interface ChildEvents {
  onMessage(message: FromChild): void
  /** Once, after the last message. `cause`: one sentence. */
  onEnd(cause: string): void
}

export class PluginChild {
  private readonly child: ChildProcess
  private readonly cancels: Cancel[] = []
  private readonly exited: Promise<void>
  private rest = ''
  private errorLine = ''
  private lines = 0
  private cause: string | undefined

  constructor(
    source: PluginSource,
    private readonly clock: Pick<Clock, 'after' | 'every'>,
    private readonly log: Log,
    private readonly events: ChildEvents,
  ) {
    const [command, ...words] = commandOf(source)
    this.child = spawn(command, words, {
      cwd: source.directory,
      // Nothing of the daemon's own environment: it may hold secrets.
      env: {
        PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        LC_ALL: 'C.UTF-8',
      },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
      ...(source.trust.kind === 'foreign' && process.getuid?.() === 0
        ? { uid: nobody, gid: nobody }
        : {}),
    })
    this.exited = new Promise((resolve) => {
      this.child.once('error', (error) => {
        this.end(`it can't be started: ${messageOf(error)}`)
        resolve()
      })
      // What it left behind would hold its output open, and the end would never come.
      this.child.once('exit', () => {
        this.signal()
      })
      this.child.once('close', (code, signal) => {
        const how = signal === null ? `with ${String(code)}` : `by ${signal}`
        this.end(isNotStarted(code) ? `it can't be started: it ended ${how}` : `it ended ${how}`)
        resolve()
      })
    })
    this.listen()
  }

  /** False: the child does not read, or is gone. Nothing waits for it. */
  send(message: ToChild): boolean {
    const { stdin } = this.child
    if (this.cause !== undefined || stdin === null || stdin.destroyed) return false
    if (stdin.writableLength > lineBytesMax) {
      this.kill('it does not read what it is told')
      return false
    }
    stdin.write(`${JSON.stringify(message)}\n`)
    return true
  }

  /** Asks it to end, and ends it when it does not within `timeoutMs`. Returns when it is gone. */
  async stop(timeoutMs: number): Promise<void> {
    this.send({ kind: 'stop' })
    this.child.stdin?.end()
    const cancel = this.clock.after(timeoutMs, () => {
      this.kill('it did not stop in time')
    })
    await this.exited
    cancel()
  }

  kill(cause: string): void {
    this.cause ??= cause
    this.signal()
  }

  private listen(): void {
    const { stdin, stdout, stderr } = this.child
    stdin?.on('error', () => undefined) // It is gone; `close` tells.
    stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      this.receive(chunk)
    })
    stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      this.noteError(chunk)
    })
    this.cancels.push(
      this.clock.every(1_000, () => {
        this.lines = Math.max(0, this.lines - linesPerSecondMax)
      }),
      this.clock.every(memoryPeriodMs, () => void this.checkMemory()),
    )
  }

  private receive(chunk: string): void {
    const lines = (this.rest + chunk).split('\n')
    this.rest = lines.pop() ?? ''
    if (this.rest.length > lineBytesMax) this.kill('it wrote a line of more than 64 KiB')
    for (const line of lines) {
      this.lines += 1
      if (this.lines > linesBurstMax)
        this.kill(`it writes more than ${linesPerSecondMax} lines a second`)
      if (this.cause !== undefined) return
      try {
        if (line.length > 0) this.events.onMessage(parseLine(line))
      } catch (thrown) {
        this.kill(messageOf(thrown)) // Foreign words: whatever is wrong with them, the child no longer makes sense.
      }
    }
  }

  /** Its standard error is for people: each line an entry of the log, bounded like its messages. */
  private noteError(chunk: string): void {
    const lines = (this.errorLine + chunk).split('\n')
    this.errorLine = (lines.pop() ?? '').slice(-errorLineCharactersMax)
    for (const line of lines) {
      this.lines += 1
      if (this.lines > linesBurstMax) return
      this.log.write('info', 'pluginSaid', { text: line.slice(0, errorLineCharactersMax) })
    }
  }

  private async checkMemory(): Promise<void> {
    const { pid } = this.child
    if (pid === undefined || this.cause !== undefined) return
    try {
      const resident = (await readFile(`/proc/${String(pid)}/statm`, 'utf8')).split(' ')[1]
      if (Number(resident) * pageBytes > memoryBytesMax) {
        this.kill(`it uses more than ${String(memoryBytesMax / 1024 / 1024)} MiB`)
      }
    } catch (thrown) {
      if (codeOf(thrown) !== 'ENOENT' && codeOf(thrown) !== 'ESRCH') throw thrown // It has just ended.
    }
  }

  private end(cause: string): void {
    for (const cancel of this.cancels.splice(0)) cancel()
    this.cause ??= cause
    this.events.onEnd(this.cause)
  }

  private signal(): void {
    const { pid } = this.child
    if (pid === undefined) return
    try {
      process.kill(-pid, 'SIGKILL')
    } catch (thrown) {
      if (codeOf(thrown) !== 'ESRCH') throw thrown // The whole group is gone.
    }
  }
}

/** Node can't limit a child; the shell does, and becomes the program. */
function commandOf({ manifest, directory }: PluginSource): readonly [string, ...string[]] {
  const entry = join(directory, manifest.entry)
  const isScript = /\.m?js$/.test(entry)
  const program = isScript ? [process.execPath, '--max-old-space-size=128', entry] : [entry]
  const limit = `ulimit -c 0 && ulimit -d ${String(dataBytesMax / 1024)} && unset PWD && exec "$@"`
  return ['/bin/sh', '-c', limit, 'holdfast-plugin', ...program]
}

/** The shell's own words for a program that is not there, or may not be run. */
function isNotStarted(code: number | null): boolean {
  return code === 126 || code === 127
}
