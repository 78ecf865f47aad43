/** The data plane process as the plugin sees it: found or started, ordered, watched, ended. */
import {
  type Clock,
  type Exec,
  type Log,
  type Store,
  type Verdict,
  done,
  refused,
} from '@holdfast/sdk'
import { endKeeper, keptFile } from './kept.js'
import {
  identify,
  isAlive,
  killProcess,
  lastLines,
  type ProcessIdentity,
  type Started,
  startPlane,
  writeLaunch,
} from './process.js'
import type { PlaneEvent, PlaneLaunch, PlaneOrder, PlaneStatus } from './protocol.js'
import { type Answer, PlaneSocket } from './socket.js'
import { objectOf } from './object.js'
import { statusOf } from './wire.js'

export interface PlaneParts {
  readonly clock: Clock
  readonly exec: Exec
  readonly log: Log
  readonly store: Store['volatile']
  /** Asked at each start: addresses may have changed. */
  readonly launch: () => PlaneLaunch
  readonly entry: string
  readonly directories: { readonly run: string; readonly logs: string }
  readonly onEvent: (event: PlaneEvent) => void
  /** The connection to it was lost and is back: what it told meanwhile was told to nobody. */
  readonly onReconnected: (status: PlaneStatus) => void
  /** It ended, or does not answer any more, without having been told to. */
  readonly onDeath: (cause: string) => void
}

/** Longest wait for a new process to listen. Node starts in 50 ms; a busy machine takes longer. */
const startWaitMs = 15_000
/** What happens is told by events; this only finds a process that hangs, and each question wakes both. */
const watchPeriodMs = 10_000
/** A local disk may stall for long without being dead; a process that says nothing this long can't be relied on. */
const silenceMaxMs = 30_000
export const statusWaitMs = 5_000
const exitWaitMs = 10_000
const reconnectTries = 5
/** Reading the names of a million files takes a second or two when they are in memory. */
const resumeWaitMs = 120_000

export class Plane {
  private socket: PlaneSocket | undefined
  private identity: ProcessIdentity | undefined
  private startedHere: Started | undefined
  private starting: Promise<Verdict> | undefined
  private stopped = false
  private ending = false
  /** Its connection ended: what became of it is looked for. */
  private closing: Promise<void> = Promise.resolve()
  private cancelWatch: (() => void) | undefined

  constructor(private readonly parts: PlaneParts) {}

  connected(): boolean {
    return this.socket !== undefined
  }

  /** Finds a data plane that runs already. False: there is none. */
  async attach(): Promise<boolean> {
    if (this.socket !== undefined) return true
    const socket = await this.open()
    if (socket === undefined) return false
    this.socket = socket
    const answer = await socket.order({ order: 'status' }, statusWaitMs)
    const status = statusIn(answer)
    const identity = status === undefined ? undefined : await identify(status.pid)
    if (identity === undefined) {
      this.forget()
      return false
    }
    await this.remember(identity)
    this.watch()
    return true
  }

  /** Finds one or starts one. */
  ensure(): Promise<Verdict> {
    this.starting ??= this.attachOrStart().finally(() => {
      this.starting = undefined
    })
    return this.starting
  }

  /** Never rejects; without a data plane it is refused with E_RFS_DEAD. */
  async order(order: PlaneOrder, timeoutMs: number): Promise<Answer> {
    return this.socket === undefined
      ? { ok: false, code: 'E_RFS_DEAD', reason: `the data plane does not run (${order.order})` }
      : this.socket.order(order, timeoutMs)
  }

  /** Whether a data plane whose connection ended has died is known, and told. Never rejects. */
  async settled(): Promise<void> {
    await this.closing
  }

  /** Undefined: it does not run or does not answer. */
  async status(): Promise<PlaneStatus | undefined> {
    return statusIn(await this.order({ order: 'status' }, statusWaitMs))
  }

  pid(): number | undefined {
    return this.identity?.pid
  }

  /** Ends an idle data plane; one that does not follow the order is killed. */
  async end(): Promise<Verdict> {
    if (!(await this.attach())) return done
    const identity = this.identity
    this.ending = true
    const answer = await this.order({ order: 'exit' }, exitWaitMs)
    this.ending = false
    if (!answer.ok && answer.code !== 'E_RFS_DEAD' && answer.code !== 'E_RFS_TIMEOUT') return answer
    this.forget()
    if (identity !== undefined) await this.waitForEnd(identity)
    await this.parts.store.remove('plane')
    return done
  }

  /** SIGKILL: what it was doing is left to a successor. That it ended is told to nobody. */
  async retire(): Promise<void> {
    const identity = this.identity ?? (await this.recorded())
    this.forget()
    if (identity !== undefined) await this.waitForEnd(identity, 0)
  }

  /** Ends the connection to the kernel as well, so that nobody can write through it any more. */
  async kill(): Promise<void> {
    await this.retire()
    await endKeeper(keptFile(this.parts.launch().socket), () => pause(this.parts.clock, 5))
  }

  /** Undefined: one that is started now would run on this machine; else why not. */
  async problem(): Promise<string | undefined> {
    const { exec, entry, directories } = this.parts
    const launchFile = `${directories.run}/rfs-launch.json`
    await writeLaunch(launchFile, this.parts.launch())
    const options = { timeoutMs: startWaitMs }
    const said = await exec.run(process.execPath, [entry, '--check', launchFile], options)
    if (said.code === 0) return undefined
    const lines = said.stderr.trim().split('\n')
    const cause = lines.find((line) => line.includes('Error: ')) ?? lines.at(-1) ?? ''
    return `the new one does not start: ${said.timedOut ? 'no answer' : cause.slice(0, 200)}`
  }

  /** Starts another one in the place of one that died while it served. Refused: it can't go on with the mounts. */
  async replace(): Promise<Verdict> {
    const ensured = await this.ensure()
    if (!ensured.ok) return ensured
    const status = await this.status()
    if (status?.role === 'serving') return done
    const answer = await this.order({ order: 'resume' }, resumeWaitMs)
    return answer.ok ? done : answer
  }

  /** The daemon stops: the data plane goes on. */
  release(): void {
    this.stopped = true
    this.forget()
  }

  private async attachOrStart(): Promise<Verdict> {
    if (await this.attach()) return done
    const first = await this.start()
    if (first.ok || first.code !== 'E_RFS_LOCKED') return first
    // It holds the lock and does not answer: of no use to anybody, and in the way.
    const identity = await this.recorded()
    if (identity === undefined) return first
    this.parts.log.write('warning', 'planeKilled', { pid: identity.pid, cause: 'no answer' })
    await this.waitForEnd(identity, 0)
    return this.start()
  }

  private async start(): Promise<Verdict> {
    const { run, logs } = this.parts.directories
    const launchFile = `${run}/rfs-launch.json`
    const logFile = `${logs}/rfs.log`
    await writeLaunch(launchFile, this.parts.launch())
    const started = await startPlane({
      entry: this.parts.entry,
      launchFile,
      lockFile: `${run}/rfs.lock`,
      logFile,
    })
    this.startedHere = started
    const identity = await identify(started.pid)
    if (identity !== undefined) await this.remember(identity)
    const verdict = await this.waitForStart(started, logFile)
    if (verdict.ok) this.parts.log.write('info', 'planeStarted', { pid: started.pid })
    return verdict
  }

  private async waitForStart(started: Started, logFile: string): Promise<Verdict> {
    const deadline = this.parts.clock.monotonicMs() + startWaitMs
    while (this.parts.clock.monotonicMs() < deadline) {
      const ended = started.ended()
      if (started.lockHeld()) {
        return refused('E_RFS_LOCKED', 'another data plane of this module runs and does not answer')
      }
      if (ended !== undefined) {
        const last = await lastLines(logFile, 400)
        return refused('E_RFS_START', `the data plane ended at its start (${ended}): ${last}`)
      }
      if (await this.attach()) return done
      await pause(this.parts.clock, 20)
    }
    return refused(
      'E_RFS_START',
      `the data plane did not answer within ${String(startWaitMs)} ms of its start`,
      `read ${logFile}`,
    )
  }

  private open(): Promise<PlaneSocket | undefined> {
    return PlaneSocket.open(this.parts.launch().socket, this.parts.clock, {
      onEvent: (event) => {
        this.parts.onEvent(event)
      },
      onClosed: (cause) => {
        if (this.socket === undefined || this.stopped) return
        this.forget()
        if (!this.ending) this.closing = this.closed(cause)
      },
    })
  }

  /** The process may have ended, or only the connection: then it is taken up again. */
  private async closed(cause: string): Promise<void> {
    const identity = this.identity
    for (let tries = 0; tries < reconnectTries; tries++) {
      if (this.stopped || identity === undefined || !(await isAlive(identity))) break
      if (await this.attach()) {
        const status = await this.status()
        if (status !== undefined) this.parts.onReconnected(status)
        return
      }
      await pause(this.parts.clock, 200)
    }
    // A connection that was tried meanwhile may have told of the same death.
    if (identity === undefined || this.identity?.pid !== identity.pid) return
    this.identity = undefined
    // How it ended is known of a process that this daemon started itself.
    const ending = this.startedHere?.ended()
    this.died(ending === undefined ? cause : `it ended with ${ending}`)
  }

  private watch(): void {
    this.cancelWatch?.()
    let heardMs = this.parts.clock.monotonicMs()
    let asking = false
    this.cancelWatch = this.parts.clock.every(watchPeriodMs, () => {
      if (asking) return
      asking = true
      void this.status().then((status) => {
        asking = false
        const now = this.parts.clock.monotonicMs()
        if (status !== undefined) heardMs = now
        else if (now - heardMs > silenceMaxMs) this.silent(now - heardMs)
      })
    })
  }

  private silent(silentMs: number): void {
    if (this.socket === undefined) return
    this.forget()
    this.died(`the data plane does not answer for ${String(silentMs)} ms`)
  }

  private died(cause: string): void {
    if (!this.stopped) this.parts.onDeath(cause)
  }

  private forget(): void {
    const socket = this.socket
    this.socket = undefined
    this.cancelWatch?.()
    this.cancelWatch = undefined
    socket?.close()
  }

  private async remember(identity: ProcessIdentity): Promise<void> {
    const same = this.identity?.pid === identity.pid
    this.identity = identity
    if (!same) await this.parts.store.write('plane', identity)
  }

  private async recorded(): Promise<ProcessIdentity | undefined> {
    const fields = objectOf(await this.parts.store.read('plane'))
    const [pid, startTicks] = [fields?.['pid'], fields?.['startTicks']]
    return typeof pid === 'number' && typeof startTicks === 'string'
      ? { pid, startTicks }
      : undefined
  }

  private async waitForEnd(identity: ProcessIdentity, graceMs: number = exitWaitMs): Promise<void> {
    const killAt = this.parts.clock.monotonicMs() + graceMs
    const deadline = killAt + exitWaitMs
    let killed = false
    while (await isAlive(identity)) {
      const now = this.parts.clock.monotonicMs()
      if (now >= killAt && !killed) {
        killed = true
        await killProcess(identity)
      }
      // Only a process that hangs in the kernel survives SIGKILL; the lock then refuses a second one.
      if (now >= deadline) return
      await pause(this.parts.clock, 20)
    }
    this.identity = undefined
  }
}

/** Of an answer to the order `status`; undefined: there was none, or of a version that this one does not understand. */
export function statusIn(answer: Answer): PlaneStatus | undefined {
  return answer.ok ? statusOf(answer.fields) : undefined
}

/** The waits of this plugin are for conditions that have no event (a process that ends, a mount in use). */
export function pause(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve)
  })
}
