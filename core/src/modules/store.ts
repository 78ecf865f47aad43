/** The sdk's Store: small JSON states of one plugin in one module, durable or gone after a reboot. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { HoldfastError, type Store } from '@holdfast/sdk'
import { removeFile } from '../files/atomic.js'
import { readVersioned, writeVersioned } from '../files/versioned.js'
import { Serial } from '../scheduling/serial.js'

export const valueBytesMax = 1024 * 1024
const waitingMax = 256
const durable = { format: 'holdfast-state', version: 1 }
const volatile = { format: 'holdfast-volatile-state', version: 1 }

export interface StoreOptions {
  /** Survives a reboot. */
  readonly directory: string
  /** A reboot empties it; when it does not (a container, a test), the boot id tells. */
  readonly volatileDirectory: string
  readonly bootId: string
}

export function openStore(options: StoreOptions): Store {
  const lasting = new Place(options.directory, durable)
  const passing = new Place(options.volatileDirectory, volatile)
  return {
    read: async <T>(name: string) => (await lasting.read(name)) as T | undefined, // The writer's type.
    write: (name, value) => lasting.write(name, value),
    remove: (name) => lasting.remove(name),
    volatile: {
      read: async <T>(name: string) => {
        const kept = await passing.read(name)
        if (!isKept(kept) || kept.bootId !== options.bootId) return undefined
        return kept.value as T // The writer's type.
      },
      write: (name, value) => passing.write(name, { bootId: options.bootId, value }),
      remove: (name) => passing.remove(name),
    },
  }
}

class Place {
  /** Writes end in the order in which they began: the last one wins, not the slowest. */
  private readonly serial: Serial

  constructor(
    private readonly directory: string,
    private readonly format: { readonly format: string; readonly version: number },
  ) {
    this.serial = new Serial(`the store ${directory}`, waitingMax)
  }

  async read(name: string): Promise<unknown> {
    const path = this.path(name)
    return await this.serial.run(() => readVersioned(path, this.format))
  }

  async write(name: string, value: unknown): Promise<void> {
    const path = this.path(name)
    const text = JSON.stringify(value) as string | undefined // undefined for what is not JSON.
    if (text === undefined || Buffer.byteLength(text) > valueBytesMax) {
      throw new HoldfastError('E_STATE_VALUE', `the state "${name}" is not JSON of at most 1 MiB`)
    }
    const frozen: unknown = JSON.parse(text) // What is written is what the value was at the call.
    await this.serial.run(async () => {
      await mkdir(this.directory, { recursive: true, mode: 0o700 })
      await writeVersioned(path, this.format, frozen)
    })
  }

  async remove(name: string): Promise<void> {
    const path = this.path(name)
    await this.serial.run(() => removeFile(path))
  }

  private path(name: string): string {
    if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(name)) {
      throw new HoldfastError('E_STATE_NAME', `"${name}" can't be the name of a state`, {
        hint: 'use letters, digits, dot, minus and underscore, at most 64',
      })
    }
    return join(this.directory, `${name}.json`)
  }
}

function isKept(value: unknown): value is { readonly bootId: string; readonly value: unknown } {
  if (typeof value !== 'object' || value === null) return false
  return 'bootId' in value && typeof value.bootId === 'string' && 'value' in value
}
