/**
 * The data plane process: `node dist/plane/main.js <launch file>`. Puts the parts together and runs the loop.
 * It ends by the order `exit`, or when it no longer knows its state: the plugin then hears it and the peer takes over.
 * `--check <launch file>` only says, by its exit code, whether this program runs on this machine.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { HoldfastError, messageOf } from '@holdfast/sdk'
import type { LogLevel } from '@holdfast/sdk'
import { codeOf } from '../driver/code.js'
import type { PlaneEvent, PlaneLaunch } from '../driver/protocol.js'
import { keepAwake } from './awake.js'
import { ControlSocket } from './control.js'
import { REQUEST_BYTES } from './fuse/abi.js'
import { readyMemory } from './fuse/ready-memory.js'
import { openJournal } from './journal/file.js'
import { readLaunch } from './launch.js'
import { O, POLL, RLIMIT_NOFILE, eventfd, prlimit, read, umask } from './libc.js'
import { Loop } from './loop.js'
import { Descriptors } from './descriptors.js'
import { orderOf } from './orders.js'
import { Plane, failureOf, lineOf } from './plane.js'
import { startResyncWorker } from './resync/worker.js'
import { WorkerPool } from './workers/pool.js'

/** Descriptors of files that stay open although they could be opened again by name. */
const DESCRIPTORS_MAX = 100_000
/** What the process needs beside those of files. */
const DESCRIPTORS_OTHER = 200

main().catch((error: unknown) => {
  fatal(error)
})

async function main(): Promise<void> {
  const { launch, isCheck } = told(process.argv.slice(2))
  // All libraries are loaded by now.
  if (isCheck) return
  // Programs may wait for this process, and nothing else: reading file by file takes a fifth of the time.
  const code = await codeOf(fileURLToPath(import.meta.url), (path) => readFileSync(path, 'utf8'))
  // Modes of what is made here are those of the application, never ours.
  umask(0)
  const loop = new Loop()
  const descriptors = new Descriptors(raiseDescriptorLimit())
  const resyncWake = wake()
  const resync = startResyncWorker(resyncWake)
  const jobsWake = wake()
  const pool = new WorkerPool(jobsWake, fatal)
  const tell = (event: PlaneEvent): void => {
    control.tell(lineOf(event))
  }
  const log = (level: LogLevel, name: string, fields: Readonly<Record<string, unknown>>): void => {
    tell({ event: 'log', level, name, fields })
  }
  const journal = { directory: launch.journal, zoneBytes: launch.zoneBytes }
  const plane: Plane = new Plane(
    {
      launch,
      code,
      loop,
      pool,
      resync,
      descriptors,
      requestMemory: readyMemory(REQUEST_BYTES),
      tell,
      log,
      openJournal: (opening) => openJournal({ ...journal, ...opening }),
    },
    () => {
      loop.stop()
    },
  )
  const control: ControlSocket = new ControlSocket(loop, launch.socket, obeying(loop, plane))
  onWake(loop, resyncWake, () => {
    plane.takeResync()
  })
  onWake(loop, jobsWake, () => {
    pool.collect()
  })
  loop.deadline(
    () => plane.due,
    () => plane.tick(),
  )
  loop.afterwards(() => {
    plane.afterRound()
  })
  if (launch.awake) keepAwake(loop, (cause) => log('info', 'processorsMayHalt', { cause }))
  await loop.run()
  control.close()
  await pool.stop()
  process.exit(0)
}

function told(args: readonly string[]): {
  readonly launch: PlaneLaunch
  readonly isCheck: boolean
} {
  const isCheck = args[0] === '--check'
  const path = args[isCheck ? 1 : 0]
  if (path === undefined) {
    throw new HoldfastError('E_RFS_LAUNCH', 'usage: main.js [--check] LAUNCH_FILE')
  }
  return { launch: readLaunch(path), isCheck }
}

/** Answers the lines of the control socket. */
function obeying(loop: Loop, plane: Plane): ControlSocket['onLine'] {
  return (line, answer) => {
    const { id } = line
    const order = orderOf(line)
    if (typeof order === 'string') {
      answer({ id, code: 'E_RFS_ORDER', reason: order })
      return
    }
    void loop.awaiting(plane.obey(order)).then(
      (fields) => {
        answer({ id, ok: true, ...fields })
      },
      (error: unknown) => {
        answer({ id, ...failureOf(error) })
        // What is not ours is a bug: this process no longer knows its state.
        if (!(error instanceof HoldfastError)) fatal(error)
      },
    )
  }
}

function wake(): number {
  return eventfd(0, O.NONBLOCK | O.CLOEXEC)
}

function onWake(loop: Loop, fd: number, run: () => void): void {
  const counter = Buffer.alloc(8)
  loop.add({
    fd,
    wants: POLL.IN,
    onReady: () => {
      read(fd, counter, 8)
      run()
    },
  })
}

/** Returns how many descriptors of files may stay open. */
function raiseDescriptorLimit(): number {
  const limits = Buffer.alloc(16)
  prlimit(0, RLIMIT_NOFILE, 0, limits)
  const hard = Number(limits.readBigUInt64LE(8))
  limits.writeBigUInt64LE(limits.readBigUInt64LE(8), 0)
  prlimit(0, RLIMIT_NOFILE, limits, 0)
  return Math.max(256, Math.min(DESCRIPTORS_MAX, Math.floor(hard / 2), hard - DESCRIPTORS_OTHER))
}

/** Never go on with a state that is not known: the mount ends with the process, and the plugin hears of it. */
function fatal(error: unknown): never {
  const text = error instanceof Error ? (error.stack ?? error.message) : messageOf(error)
  process.stderr.write(`${new Date().toISOString()} dataPlaneEnded ${text}\n`)
  process.exit(1)
}
