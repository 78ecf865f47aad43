/** Small records by name that survive a power cut: what a node has promised, and what it has decided. */
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { removeFile } from '../files/atomic.js'
import { readVersioned, type StateFormat, writeVersioned } from '../files/versioned.js'

/** Each call is done for good when it resolves; cut off before, it happened or it did not. */
export interface Records {
  /** Sorted. */
  names(): Promise<readonly string[]>
  /** Undefined: there is none. The caller checks its shape. */
  read(name: string): Promise<unknown>
  write(name: string, body: unknown): Promise<void>
  /** No error when there is none. */
  remove(name: string): Promise<void>
}

const suffix = '.json'

/** One file each, in a directory of their own. */
export class FileRecords implements Records {
  constructor(
    private readonly directory: string,
    private readonly format: StateFormat,
  ) {}

  async names(): Promise<readonly string[]> {
    await this.open()
    const files = (await readdir(this.directory)).filter((file) => file.endsWith(suffix))
    return files.map((file) => file.slice(0, -suffix.length)).sort()
  }

  async read(name: string): Promise<unknown> {
    return await readVersioned(this.path(name), this.format)
  }

  async write(name: string, body: unknown): Promise<void> {
    await this.open()
    await writeVersioned(this.path(name), this.format, body)
  }

  async remove(name: string): Promise<void> {
    await removeFile(this.path(name))
  }

  private async open(): Promise<void> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 })
  }

  private path(name: string): string {
    return join(this.directory, `${name}${suffix}`)
  }
}
