/** A LAN for tests: machines as network namespaces on one switch, all gone at the end. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'

import type { Clock, Exec, Peers, RunOptions, RunResult, Store } from '@holdfast/sdk'

import type { VipConfig } from './config.js'
import { VipResource } from './driver.js'
import { VipKernel } from './kernel.js'

export class Lan {
  private readonly children: ChildProcess[] = []
  private readonly machines: string[] = []

  constructor(private readonly prefix: string) {
    removeLeftovers()
    run('ip', ['netns', 'add', this.namespace('switch')])
    this.ip('switch', 'link', 'add', 'br0', 'type', 'bridge', 'forward_delay', '0')
    this.ip('switch', 'link', 'set', 'br0', 'up')
  }

  /** Host number `host` in 10.77.0.0/24 and fd77::/64. */
  addMachine(name: string, host: number): void {
    const namespace = this.namespace(name)
    run('ip', ['netns', 'add', namespace])
    this.machines.push(name)
    const link = ['link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', `to-${name}`]
    run('ip', ['-n', namespace, ...link, 'netns', this.namespace('switch')])
    this.ip('switch', 'link', 'set', `to-${name}`, 'master', 'br0', 'up')
    this.ip(name, 'link', 'set', 'lo', 'up')
    this.ip(name, 'link', 'set', 'eth0', 'up')
    this.ip(name, 'address', 'add', `10.77.0.${String(host)}/24`, 'dev', 'eth0')
    this.ip(name, 'address', 'add', `fd77::${String(host)}/64`, 'dev', 'eth0', 'nodad')
  }

  ip(machine: string, ...args: string[]): string {
    return run('ip', ['-n', this.namespace(machine), ...args])
  }

  mac(machine: string): string {
    return /link\/ether (\S+)/.exec(this.ip(machine, 'link', 'show', 'eth0'))?.[1] ?? ''
  }

  has(machine: string, address: string): boolean {
    return this.ip(machine, 'address').includes(` ${address}/`)
  }

  cutCable(machine: string): void {
    this.ip('switch', 'link', 'set', `to-${machine}`, 'down')
  }

  plugCable(machine: string): void {
    this.ip('switch', 'link', 'set', `to-${machine}`, 'up')
  }

  exec(machine: string): Exec {
    const enter = ['netns', 'exec', this.namespace(machine)]
    return {
      run: (command, args, options) => runAsync('ip', [...enter, command, ...args], options),
    }
  }

  /** Runs a program of a few lines there; its lines of output go to `on`. */
  node(machine: string, program: string, on: (line: string) => void): ChildProcess {
    const args = ['netns', 'exec', this.namespace(machine), process.execPath, '-e', program]
    const child = spawn('ip', args, { stdio: ['ignore', 'pipe', 'inherit'] })
    createInterface({ input: child.stdout }).on('line', on)
    this.children.push(child)
    return child
  }

  remove(): void {
    for (const child of this.children) child.kill('SIGKILL')
    for (const name of [...this.machines, 'switch']) {
      run('ip', ['netns', 'del', this.namespace(name)])
    }
  }

  private namespace(machine: string): string {
    return `${this.prefix}-${machine}`
  }
}

/** A node of the cluster with the plugin's resource; its memory survives `restarted`. */
export function vipNode(
  lan: Lan,
  machine: string,
  options: { readonly config: VipConfig; readonly peerMacs?: readonly string[]; store?: Store },
) {
  const events: string[] = []
  const looks = new Set<() => void>()
  const store = options.store ?? memoryStore()
  const resource = new VipResource(options.config, {
    kernel: new VipKernel(lan.exec(machine)),
    clock: {
      ...realClock,
      every: (_periodMs, call) => {
        looks.add(call)
        return () => looks.delete(call)
      },
    },
    log: {
      write: (_level, event) => {
        events.push(event)
      },
    },
    store,
    peerInterfaces: { macs: () => options.peerMacs ?? [] },
  })
  /** What the node does every few seconds, now. */
  const look = async (): Promise<void> => {
    for (const call of looks) call()
    await resource.looked()
  }
  return { resource, store, events, look }
}

export const realClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after: (delayMs, call) => {
    const timer = setTimeout(call, delayMs)
    return () => {
      clearTimeout(timer)
    }
  },
  every: (periodMs, call) => {
    const timer = setInterval(call, periodMs)
    return () => {
      clearInterval(timer)
    }
  },
  cron: () => () => undefined,
}

export function memoryStore(): Store {
  const part = () => {
    const files = new Map<string, string>()
    return {
      read: <T>(name: string) => {
        const text = files.get(name)
        return Promise.resolve(text === undefined ? undefined : (JSON.parse(text) as T)) // As in core.
      },
      write: (name: string, value: unknown) => {
        files.set(name, JSON.stringify(value))
        return Promise.resolve()
      },
      remove: (name: string) => {
        files.delete(name)
        return Promise.resolve()
      },
    }
  }
  return { ...part(), volatile: part() }
}

/** Peers of one node: what is sent goes to `sent`, what arrives is told with `receive`. */
export function fakePeers(others: readonly string[]) {
  const sent: { node: string; message: unknown }[] = []
  let receive: (node: string, message: unknown) => void = () => undefined
  const unused = (): never => {
    throw new Error('the plugin does not use this')
  }
  const peers: Peers = {
    self: 'n1',
    others,
    state: unused,
    watch: (node, _options, on) => {
      on({ kind: 'peerConnected', node })
      return () => undefined
    },
    send: (node, message) => {
      sent.push({ node, message })
      return true
    },
    onMessage: (on) => {
      receive = on
      return () => undefined
    },
    call: unused,
    onCall: unused,
    address: unused,
  }
  return {
    peers,
    sent,
    receive: (node: string, message: unknown) => {
      receive(node, message)
    },
  }
}

/** Those of a test run that was killed: their names carry the id of a process that is gone. */
function removeLeftovers(): void {
  for (const [name, pid] of run('ip', ['netns']).matchAll(/^vip(\d+)b?-\w+/gm)) {
    if (existsSync(`/proc/${pid ?? ''}`)) continue
    for (const left of run('ip', ['netns', 'pids', name]).split('\n').filter(Boolean)) {
      process.kill(Number(left), 'SIGKILL')
    }
    run('ip', ['netns', 'del', name])
  }
}

function run(command: string, args: readonly string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

function runAsync(
  command: string,
  args: readonly string[],
  options: RunOptions,
): Promise<RunResult> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { timeout: options.timeoutMs, killSignal: 'SIGKILL' })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk) => (stdout += String(chunk)))
    child.stderr.on('data', (chunk) => (stderr += String(chunk)))
    child.on('close', (code, signal) => {
      const timedOut = child.killed
      resolve({ code: code ?? undefined, signal: signal ?? undefined, timedOut, stdout, stderr })
    })
    // A command that ended without reading its input shows in its exit code.
    child.stdin.on('error', () => undefined)
    child.stdin.end(options.input ?? '')
  })
}
