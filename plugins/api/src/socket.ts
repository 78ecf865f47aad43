/** The Unix socket: where it is, who may use it, and that only one daemon has it. */
import { chmod, chown, mkdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { connect } from 'node:net'
import { basename, dirname, join } from 'node:path'
import { HoldfastError } from '@holdfast/sdk'
import { apiErrors } from './errors.js'

/** `sun_path` of the kernel has 108 bytes with its terminator. */
const pathBytesMax = 107
const probeMs = 1000

/** `<run>/api.sock`; HOLDFAST_ROOT moves the directory, so that several nodes can live on one machine. */
export function defaultSocketPath(root: string | undefined): string {
  return join(root ?? '/', 'run/holdfast/api.sock')
}

/** A path to listen on, and what makes it public once the server listens. */
export interface Binding {
  readonly path: string
  publish(): Promise<void>
  /** Removes the public socket, unless another daemon has replaced it since. */
  withdraw(): Promise<void>
}

/**
 * The socket is born in a directory that only root may enter, gets its owner and mode there, and is then
 * renamed: nobody can connect in between, and a socket that a killed daemon left is replaced in one step.
 */
export async function prepareBinding(
  socketPath: string,
  groupFile = '/etc/group',
): Promise<Binding> {
  const nursery = join(dirname(socketPath), `.${basename(socketPath)}.new`)
  const path = join(nursery, 's')
  if (Buffer.byteLength(path) > pathBytesMax || Buffer.byteLength(socketPath) > pathBytesMax) {
    throw new HoldfastError(
      apiErrors.socketPath,
      `the path of the API socket is too long: ${socketPath}`,
      {
        hint: `choose one below ${String(pathBytesMax - 10)} bytes (HOLDFAST_ROOT, or "socket" of the plugin)`,
      },
    )
  }
  await refuseWhenAnswered(socketPath)
  await mkdir(dirname(socketPath), { recursive: true, mode: 0o755 })
  await rm(nursery, { recursive: true, force: true })
  await mkdir(nursery, { mode: 0o700 })
  let inode = 0n
  return {
    path,
    publish: async () => {
      const group = await groupId('holdfast', groupFile)
      if (group !== undefined) await chown(path, 0, group)
      await chmod(path, group === undefined ? 0o600 : 0o660)
      inode = (await stat(path, { bigint: true })).ino
      await rename(path, socketPath)
      await rm(nursery, { recursive: true, force: true })
    },
    withdraw: async () => {
      const now = await stat(socketPath, { bigint: true }).catch(absent)
      if (now?.ino === inode) await rm(socketPath, { force: true })
    },
  }
}

/** Two daemons on one socket would answer for each other; the second one must not start. */
async function refuseWhenAnswered(socketPath: string): Promise<void> {
  if (!(await isAnswered(socketPath))) return
  throw new HoldfastError(apiErrors.socketInUse, `a daemon answers on ${socketPath} already`, {
    hint: 'stop it first: systemctl stop holdfast',
  })
}

function isAnswered(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath)
    const answer = (answered: boolean) => {
      socket.destroy()
      resolve(answered)
    }
    socket.setTimeout(probeMs, () => {
      answer(true)
    })
    socket.once('connect', () => {
      answer(true)
    })
    // Absent, refused (left over) or not a socket: nobody listens there.
    socket.once('error', () => {
      answer(false)
    })
  })
}

async function groupId(name: string, groupFile: string): Promise<number | undefined> {
  const groups = await readFile(groupFile, 'utf8').catch(absent)
  const line = groups?.split('\n').find((entry) => entry.startsWith(`${name}:`))
  const id = Number(line?.split(':')[2])
  return line !== undefined && Number.isInteger(id) ? id : undefined
}

function absent(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
  throw error
}
