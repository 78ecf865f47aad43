/** The journal's file on a simulated disk: what was appended and not synced survives the process, and not a power cut. */
import type { JournalStore } from '@holdfast/plugin-rfs/decisions'
import type { Random } from '../random.js'

export class SimStore {
  isFull = false
  #cached: Buffer | undefined
  #durable: Buffer | undefined
  #modifiedMs = 0

  /** The time of day of its machine. */
  constructor(readonly clock: () => number = () => 0) {}

  /** As one process sees it. `step`: it may die here; nothing that it does after that has any effect. */
  opened(step: () => boolean): JournalStore {
    const full = (): void => {
      if (this.isFull) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
    }
    const change = (how: () => void): void => {
      if (!step()) return
      how()
      this.#modifiedMs = this.clock()
      step()
    }
    return {
      place: 'the simulated disk',
      exists: this.#cached !== undefined,
      modifiedMs: this.#cached === undefined ? undefined : this.#modifiedMs,
      load: () => this.#cached,
      replace: (write) => {
        const parts: Buffer[] = []
        full()
        write((bytes) => parts.push(Buffer.from(bytes)))
        change(() => this.#keep(Buffer.concat(parts)))
      },
      empty: (header) => change(() => this.#keep(Buffer.from(header))),
      append: (bytes) => {
        full()
        change(() => {
          this.#cached = Buffer.concat([this.#cached ?? Buffer.alloc(0), bytes])
        })
      },
      writeHeader: (header) => change(() => this.#writeHeader(header)),
      sync: () => change(() => this.#keep(this.#cached)),
      close: () => undefined,
    }
  }

  /** The end that was not synced is cut somewhere, or there and never written. */
  losePower(random: Random): void {
    const whole = this.#cached
    const kept = this.#durable?.length ?? 0
    if (whole !== undefined && this.#durable !== undefined && whole.length > kept) {
      const end = Buffer.from(whole.subarray(kept, random.integer(kept, whole.length)))
      if (random.chance(0.3)) end.fill(0, random.integer(0, end.length))
      this.#durable = Buffer.concat([this.#durable, end])
    }
    this.#cached = this.#durable
  }

  image(): Buffer | undefined {
    return this.#durable
  }

  /** Another disk. */
  restore(bytes: Buffer | undefined): void {
    this.isFull = false
    this.#keep(bytes)
  }

  #keep(bytes: Buffer | undefined): void {
    this.#cached = bytes
    this.#durable = bytes
  }

  #writeHeader(header: Buffer): void {
    const over = (bytes: Buffer | undefined): Buffer => {
      const rest = bytes?.subarray(header.length) ?? Buffer.alloc(0)
      return Buffer.concat([header, rest])
    }
    this.#cached = over(this.#cached)
    this.#durable = over(this.#durable)
  }
}
