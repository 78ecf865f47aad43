/**
 * The mark of a module that lives since this boot of the machine: a daemon that finds it adopts instead of starting,
 * and knows the last role even when the plugins of the module can't be started any more.
 */
import { join } from 'node:path'
import type { RoleName } from '@holdfast/sdk'
import { readVersioned, writeVersioned } from '../files/versioned.js'
import { Serial } from '../scheduling/serial.js'

const format = { format: 'module-live', version: 1 }
const waitingMax = 256

export class LiveMark {
  private readonly serial = new Serial('the mark of a living module', waitingMax)
  private last: string | undefined

  constructor(
    private readonly directory: string,
    private readonly bootId: string,
  ) {}

  /** The role written last since this boot; undefined: the module did not live yet. */
  get role(): string | undefined {
    return this.last
  }

  async read(): Promise<boolean> {
    const body = await readVersioned(this.path(), format)
    const isOurs =
      typeof body === 'object' && body !== null && 'bootId' in body && body.bootId === this.bootId
    this.last = isOurs && 'role' in body && typeof body.role === 'string' ? body.role : undefined
    return this.last !== undefined
  }

  async write(role: RoleName): Promise<void> {
    if (this.last === role) return
    this.last = role
    await this.serial.run(() => writeVersioned(this.path(), format, { bootId: this.bootId, role }))
  }

  /** Returns when nothing is being written any more: the directory may go. */
  async settled(): Promise<void> {
    await this.serial.run(() => Promise.resolve())
  }

  private path(): string {
    return join(this.directory, 'live.json')
  }
}
