/**
 * Looks at the interfaces whenever the kernel tells of a change, and now and then. `ip monitor` listens to the kernel for us;
 * while it does not run, a look every second stands in for it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import {
  type Cancel,
  type Checker,
  type Clock,
  done,
  type Exec,
  HoldfastError,
  interfacesOf,
  type KernelInterface,
  type Log,
  type Seen,
} from '@holdfast/sdk'
import { judge, type Target } from './judge.js'

const tickMs = 1_000
/** While the kernel tells of each change, a look at every so manieth tick is enough. */
const quietTicks = 10
/** However fast an interface flaps, it is looked at so often at most. */
const paceMs = 100
const lookTimeoutMs = 3_000

type Report = Parameters<Checker['start']>[0]

export class Links {
  private readonly watched = new Map<string, { readonly target: Target; readonly report: Report }>()
  private monitor: ChildProcess | undefined
  private cancels: Cancel[] = []
  private ticks = 0
  private looking = false
  private asked = false

  constructor(
    private readonly parts: {
      readonly clock: Clock
      readonly exec: Exec
      readonly log: Log
      /** What stands before `ip monitor`: a namespace, in tests. */
      readonly before?: readonly string[]
    },
  ) {}

  checker(ident: string, target: Target): Pick<Checker, 'start' | 'stop'> {
    const stop = (): Promise<void> => {
      this.watched.delete(ident)
      if (this.watched.size === 0) this.end()
      return Promise.resolve()
    }
    return {
      stop,
      start: (report) => {
        if (this.watched.size === 0) this.begin()
        this.watched.set(ident, { target, report })
        this.look()
        return Promise.resolve(done)
      },
    }
  }

  private begin(): void {
    this.ticks = 0
    this.listen()
    const cancel = this.parts.clock.every(tickMs, () => {
      this.ticks += 1
      if (this.monitor === undefined || this.ticks % quietTicks === 0) this.look()
      if (this.monitor === undefined && this.ticks % quietTicks === 0) this.listen()
    })
    this.cancels.push(cancel)
  }

  private end(): void {
    for (const cancel of this.cancels.splice(0)) cancel()
    const { monitor } = this
    this.monitor = undefined
    monitor?.kill('SIGKILL')
  }

  private listen(): void {
    // The kernel ends it with the daemon, which would otherwise leave one behind at each restart.
    const command = ['setpriv', '--pdeathsig', 'KILL', '--', 'ip', 'monitor', 'link', 'address']
    const [program = '', ...args] = [...(this.parts.before ?? []), ...command]
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] })
    this.monitor = child
    child.stdout.on('data', () => {
      this.look()
    })
    const gone = (why: string): void => {
      if (this.monitor !== child) return
      this.monitor = undefined
      const text = `ip monitor ${why}; interfaces are looked at every second meanwhile`
      this.parts.log.write('warning', 'interfacesNotTold', { text })
    }
    child.once('error', (error) => {
      gone(error.message)
    })
    child.once('exit', (code, signal) => {
      gone(`ended (${String(code ?? signal)})`)
    })
    // What changed before it listened is seen by this look.
    child.once('spawn', () => {
      this.look()
    })
  }

  /** One look at a time, and a pause between two. */
  private look(): void {
    if (this.watched.size === 0) return
    if (this.looking) {
      this.asked = true
      return
    }
    this.looking = true
    this.asked = false
    void this.lookOnce().finally(() => {
      const cancel = this.parts.clock.after(paceMs, () => {
        this.cancels = this.cancels.filter((one) => one !== free)
        this.looking = false
        if (this.asked) this.look()
      })
      const free = (): void => {
        cancel()
        this.looking = false
      }
      if (this.watched.size === 0) free()
      else this.cancels.push(free)
    })
  }

  private async lookOnce(): Promise<void> {
    const seen = await this.links()
    for (const { target, report } of [...this.watched.values()]) {
      const { value, cause } = typeof seen === 'string' ? unknown(seen) : judge(target, seen)
      report(value, cause)
    }
  }

  /** The interfaces, or why they can't be seen. */
  private async links(): Promise<readonly KernelInterface[] | string> {
    try {
      const result = await this.parts.exec.run('ip', ['-j', 'address'], {
        timeoutMs: lookTimeoutMs,
      })
      if (result.code === 0) return interfacesOf(result.stdout)
      const why = result.timedOut ? 'it does not answer' : result.stderr.trim().slice(0, 200)
      return `ip -j address: ${why}`
    } catch (thrown) {
      if (!(thrown instanceof HoldfastError)) throw thrown
      return thrown.message
    }
  }
}

function unknown(cause: string): Seen {
  return { value: 'unknown', cause }
}
