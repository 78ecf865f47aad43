/**
 * One directory for what the tests of a run write in passing. It is named after the run, so that the next one finds what a killed
 * one left, mounts included, and removes it.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** On a disk: memory has not all attributes. Short: the path of a socket has at most 107 bytes. */
const place = '/var/tmp'
const prefix = 'hft-'

export class Room {
  readonly directory: string

  private constructor(directory: string) {
    this.directory = directory
  }

  /** The room of this process. Those of processes that are gone are removed first. */
  static async make(): Promise<Room> {
    for (const name of await readdir(place)) {
      const [, pid] = /^hft-(\d+)$/.exec(name) ?? []
      if (pid === undefined || existsSync(`/proc/${pid}`)) continue
      await new Room(join(place, name)).remove()
    }
    const room = new Room(join(place, `${prefix}${process.pid}`))
    await mkdir(room.directory)
    // As the directory that it stands for: some tests do things as other users. After mkdir, which heeds the umask.
    await chmod(room.directory, 0o1777)
    return room
  }

  /** Safe while another run removes the same. */
  async remove(): Promise<void> {
    for (const point of await this.#mounts()) {
      // Lazily: who served it is dead, and nobody answers a question about it.
      await promisify(execFile)('umount', ['--lazy', '--no-canonicalize', point]).catch(
        async (error: unknown) => {
          if ((await this.#mounts()).includes(point)) throw error
        },
      )
    }
    await rm(this.directory, { recursive: true, force: true })
  }

  /** The innermost first. */
  async #mounts(): Promise<readonly string[]> {
    const lines = (await readFile('/proc/self/mounts', 'utf8')).split('\n')
    const points = lines.map((line) => line.split(' ')[1] ?? '')
    return points.filter((point) => point.startsWith(`${this.directory}/`)).reverse()
  }
}
