/** A copy of this tree's programs, as `install.sh` installs them, in which other versions can be installed beneath running nodes. */
import { cp, readFile, rename, symlink, writeFile } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../../../', import.meta.url))

export class Installation {
  readonly #directory: string
  readonly #dataPlane: string
  /** The data plane's program of this tree, which is version 0. */
  readonly #text: string
  #version = 0

  private constructor(directory: string, text: string) {
    this.#directory = directory
    this.#dataPlane = dataPlaneIn(directory)
    this.#text = text
  }

  static async make(directory: string): Promise<Installation> {
    for (const part of ['core', 'plugins']) {
      await cp(join(root, part), join(directory, part), { recursive: true, filter: isInstalled })
    }
    await symlink(join(root, 'node_modules'), join(directory, 'node_modules'))
    return new Installation(directory, await readFile(dataPlaneIn(directory), 'utf8'))
  }

  /** The program of the daemon. */
  get daemon(): string {
    return join(this.#directory, 'core/dist/main.js')
  }

  get version(): number {
    return this.#version
  }

  /** Versions are the same code of the data plane in other bytes. What runs keeps what it has loaded. */
  async install(version: number): Promise<void> {
    const next = `${this.#dataPlane}.new`
    await writeFile(next, `${this.#text}// version ${String(version)}\n`)
    await rename(next, this.#dataPlane)
    this.#version = version
  }
}

function dataPlaneIn(directory: string): string {
  return join(directory, 'plugins/rfs/dist/plane/main.js')
}

function isInstalled(path: string): boolean {
  const isSource = path.split(sep).includes('src') || path.includes('.tsbuildinfo')
  return !isSource && !/\.(map|d\.ts|test\.js)$/.test(path)
}
