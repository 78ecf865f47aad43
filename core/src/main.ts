#!/usr/bin/env node
/** `holdfastd`: one a node. Ends with 0 on SIGTERM, 70 on a bug, 78 when it can't be started as it is configured. */
import { HoldfastError, messageOf } from '@holdfast/sdk'
import { type Daemon, startDaemon } from './daemon/daemon.js'
import { takeLock } from './daemon/lock.js'
import { directoriesFrom } from './files/directories.js'

const exitBug = 70
const exitConfiguration = 78
/** A plugin that hangs must not keep the service from stopping. */
const stopTimeoutMs = 10_000

let daemon: Daemon | undefined

function die(thrown: unknown): never {
  const stack = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
  process.stderr.write(`holdfastd: ${stack}\n`)
  const log = daemon?.log.for(undefined, undefined)
  log?.write('critical', 'daemonFailed', { text: messageOf(thrown), stack })
  process.exit(exitBug)
}

function stop(signal: NodeJS.Signals): void {
  daemon?.log.for(undefined, undefined).write('event', 'daemonStopping', { signal })
  setTimeout(() => process.exit(0), stopTimeoutMs).unref()
  // Not started yet: nothing to leave in order.
  if (daemon === undefined) process.exit(0)
  daemon.stop().then(() => process.exit(0), die)
}

async function main(): Promise<void> {
  // An unknown error leaves an unknown state: the process ends, what runs goes on, the next start adopts it.
  process.on('uncaughtException', die)
  process.on('unhandledRejection', die)
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
  process.on('SIGHUP', () => undefined)
  process.umask(0o022)
  const directories = directoriesFrom(process.env)
  try {
    await takeLock(directories)
    daemon = await startDaemon(directories, process.env)
  } catch (thrown) {
    if (!(thrown instanceof HoldfastError)) throw thrown
    process.stderr.write(`holdfastd: ${thrown.message} (${thrown.code})\n`)
    if (thrown.hint !== undefined) process.stderr.write(`${thrown.hint}\n`)
    process.exit(exitConfiguration)
  }
}

await main()
