/** What the core gives to plugins. A ninth token is an architecture decision, written down. */
import { token } from './token.js'

/** Undoes a registration or cancels a timer. Calling it twice is harmless. */
export type Cancel = () => void

/** Time comes in through here only, so that tests and the simulator own it. */
export interface Clock {
  /** Milliseconds of a clock that never jumps. Only differences have a meaning. */
  monotonicMs(): number
  /** Milliseconds since 1970, for people; never for decisions. */
  wallMs(): number
  /** Calls once after at least `delayMs`. */
  after(delayMs: number, call: () => void): Cancel
  /** Calls every `periodMs` until cancelled. */
  every(periodMs: number, call: () => void): Cancel
  /** Calls at the times of a cron expression (local time zone). Throws HoldfastError when it is malformed. */
  cron(expression: string, call: () => void): Cancel
}

/** `critical`: an operator must act. `event`: what an operator wants to read. `info`, `debug`: verbose. */
export type LogLevel = 'critical' | 'event' | 'warning' | 'info' | 'debug'

/** A log line is an event name (camelCase) and fields; `text` is the sentence for the operator. */
export interface Log {
  write(level: LogLevel, event: string, fields?: Readonly<Record<string, unknown>>): void
}

/** Small states on disk of this plugin in this module: temporary file, fsync, rename, fsync of the directory. */
export interface Store {
  /** The value written last, or undefined. Throws HoldfastError when the file is damaged or of a newer major. */
  read<T>(name: string): Promise<T | undefined>
  /** Returns when the value survives a power cut. `T` must be JSON. */
  write(name: string, value: unknown): Promise<void>
  remove(name: string): Promise<void>
  /** Like the above but gone after a reboot: what a restarted daemon needs to adopt. */
  readonly volatile: Omit<Store, 'volatile'>
}

export interface LanState {
  readonly lan: string
  /** Milliseconds since the last authentic heartbeat, or undefined when none was ever heard. */
  readonly heardMsAgo: number | undefined
  readonly up: boolean
}

export interface PeerState {
  readonly node: string
  readonly lans: readonly LanState[]
  /** The stream for messages is open. */
  readonly connected: boolean
  /** Boot identity of the peer's daemon: another value means that it was restarted. */
  readonly incarnation: string | undefined
}

export type PeerEvent =
  /** No heartbeat on any of the watched LANs for the whole time-out. */
  | { readonly kind: 'peerSilent'; readonly node: string; readonly silentMs: number }
  /** The first heartbeat after silence, or the first ever. */
  | { readonly kind: 'peerHeard'; readonly node: string }
  /** The message stream opened; everything sent before on an older stream may be lost. */
  | { readonly kind: 'peerConnected'; readonly node: string }
  | { readonly kind: 'peerDisconnected'; readonly node: string }

/** Heartbeats and messages between the same plugin of the same module on different nodes. */
export interface Peers {
  readonly self: string
  /** The other nodes of this module (for a plugin of scope `node`: of the cluster). */
  readonly others: readonly string[]
  state(node: string): PeerState
  /** Tells the present state first, then each change. `lans` empty: all LANs that both nodes are on. */
  watch(
    node: string,
    options: { readonly timeoutMs: number; readonly lans: readonly string[] },
    on: (event: PeerEvent) => void,
  ): Cancel
  /**
   * Queues a JSON message (at most 1 MiB) for the same plugin there. In order, at most once.
   * Returns false when the stream is down or its queue is full: nothing was sent.
   */
  send(node: string, message: unknown): boolean
  onMessage(on: (node: string, message: unknown) => void): Cancel
  /** A question with one answer; a time-out or a lost stream rejects with HoldfastError. */
  call(node: string, message: unknown, timeoutMs: number): Promise<unknown>
  /** Answers `call`; only one handler. A rejection reaches the caller as HoldfastError with its code. */
  onCall(answer: (node: string, message: unknown) => Promise<unknown>): Cancel
  /** The peer's address on a LAN, for a stream of the plugin's own. Undefined: it is not on that LAN. */
  address(node: string, lan?: string): string | undefined
}

export interface RunOptions {
  readonly timeoutMs: number
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly signal?: AbortSignal
}

export interface RunResult {
  /** Exit code; undefined when a signal or the time-out ended it. */
  readonly code: number | undefined
  readonly signal: string | undefined
  readonly timedOut: boolean
  /** At most 1 MiB each; the rest is cut. */
  readonly stdout: string
  readonly stderr: string
}

/** Short-lived commands (`ip -j addr`). Never a shell; ended with SIGKILL at the time-out. */
export interface Exec {
  run(command: string, args: readonly string[], options: RunOptions): Promise<RunResult>
}

/** The module that a plugin instance works for. */
export interface ModuleContext {
  readonly name: string
  /** 1..64, the same on all nodes: ports derive from it. */
  readonly id: number
  readonly node: string
  /** Nodes that run this module, sorted by name: the same order everywhere. */
  readonly nodes: readonly string[]
  readonly directories: {
    /** The applied package: `conf/`, `bin/`. */
    readonly package: string
    /** Persistent state of the module, on disk. */
    readonly state: string
    /** Gone after a reboot: sockets, pids. */
    readonly run: string
    /** Script output and other logs. */
    readonly logs: string
  }
  /** `<user><var>` and other variables for scripts are the scripts plugin's; macros are already expanded. */
  readonly configDigest: string
}

export const clock = token<Clock>('core.clock')
export const log = token<Log>('core.log')
export const store = token<Store>('core.store')
export const peers = token<Peers>('core.peers')
export const exec = token<Exec>('core.exec')
export const moduleContext = token<ModuleContext>('core.module')
