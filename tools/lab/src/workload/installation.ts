/** A copy of this tree's programs, as `install.sh` installs them, in which other versions can be installed beneath running nodes. */
import { cp, readFile, rename, symlink, writeFile } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { LabError } from '../command.js'

const root = fileURLToPath(new URL('../../../../', import.meta.url))

export class Installation {
  readonly #directory: string
  /** The data plane's program of this tree, which is version 0. */
  readonly #program: Part
  /** The part of it that says which version of the copy it speaks. */
  readonly #messages: Part
  #version = 0

  private constructor(directory: string, program: Part, messages: Part) {
    this.#directory = directory
    this.#program = program
    this.#messages = messages
  }

  static async make(directory: string): Promise<Installation> {
    for (const part of ['core', 'plugins']) {
      await cp(join(root, part), join(directory, part), { recursive: true, filter: isInstalled })
    }
    await symlink(join(root, 'node_modules'), join(directory, 'node_modules'))
    const dataPlane = join(directory, 'plugins/rfs/dist/plane')
    const program = await readPart(join(dataPlane, 'main.js'))
    const messages = await readPart(join(dataPlane, 'resync/messages.js'))
    if (!speaks.test(messages.text)) throw new LabError(`${messages.file} names no PROTOCOL`)
    return new Installation(directory, program, messages)
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
    await write(this.#program, `${this.#program.text}// version ${String(version)}\n`)
    this.#version = version
  }

  /** This version and those after it speak a version of the copy that no other one does. */
  async installOtherCopy(version: number): Promise<void> {
    await write(this.#messages, this.#messages.text.replace(speaks, `$1${String(1_000 + version)}`))
    await this.install(version)
  }
}

interface Part {
  readonly file: string
  /** As it is in this tree. */
  readonly text: string
}

const speaks = /(export const PROTOCOL = )\d+/

async function readPart(file: string): Promise<Part> {
  return { file, text: await readFile(file, 'utf8') }
}

async function write({ file }: Part, text: string): Promise<void> {
  await writeFile(`${file}.new`, text)
  await rename(`${file}.new`, file)
}

function isInstalled(path: string): boolean {
  const isSource = path.split(sep).includes('src') || path.includes('.tsbuildinfo')
  return !isSource && !/\.(map|d\.ts|test\.js)$/.test(path)
}
