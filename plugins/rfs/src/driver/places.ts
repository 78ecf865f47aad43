/**
 * Which directories hold this node's data. While a disk is not mounted there is an empty directory in its place: served, it would
 * be copied, and the other node's files would go. The same holds for a directory that was made anew. Before a node serves,
 * its directories are compared with those that it served, or that were made equal to the other node's, the last time.
 */
import { stat } from 'node:fs/promises'
import { type Command, HoldfastError, refused, type Store, type Verdict } from '@holdfast/sdk'
import { errnoOf } from './errno.js'
import { objectOf } from './object.js'

/** Inode and time of birth: of a directory that is made anew, or whose file system is, one of them differs. */
type Marks = Readonly<Record<string, string>>

const storedName = 'places'

export class Places {
  /** The last `take`: it must not look at a directory that is mounted over meanwhile. */
  private taken: Promise<readonly string[]> = Promise.resolve([])

  constructor(
    private readonly parts: { readonly store: Store; readonly directories: readonly string[] },
  ) {}

  /** Serves, unless a directory is not the one that holds this node's data: then it is refused with E_RFS_REPLACED. */
  async serve(serve: () => Promise<Verdict>): Promise<Verdict> {
    // Whoever took them hears of a failure.
    await Promise.allSettled([this.taken])
    const here = await this.here()
    const [other] = await this.othersIn(here)
    if (other !== undefined) {
      return refused(
        'E_RFS_REPLACED',
        `${other} is not the directory that held this node's data: its disk is not mounted, or the directory was made anew; if it shall be served as it is: holdfast rfs accept`,
        'mount the disk; or start this node while the other one serves: it gets everything from there',
      )
    }
    const verdict = await serve()
    // As it was before: by now the mounts are over it.
    if (verdict.ok) await this.remember(here)
    return verdict
  }

  /** What is there now holds this node's data. Only while nothing is served. Returns the directories of which that was not known. */
  take(): Promise<readonly string[]> {
    this.taken = this.takeNow()
    return this.taken
  }

  /** The same, when nobody waits for it. `onFailed`: a directory can't be looked at any more. */
  async takeUnasked(onFailed: (cause: string) => void): Promise<void> {
    try {
      await this.take()
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error
      onFailed(error.message)
    }
  }

  private async takeNow(): Promise<readonly string[]> {
    const here = await this.here()
    const others = await this.othersIn(here)
    await this.remember(here)
    return others
  }

  private async othersIn(here: Marks): Promise<readonly string[]> {
    const stored = await this.stored()
    return this.parts.directories.filter(
      (directory) => stored[directory] !== undefined && stored[directory] !== here[directory],
    )
  }

  private async remember(marks: Marks): Promise<void> {
    if (JSON.stringify(marks) === JSON.stringify(await this.stored())) return
    await this.parts.store.write(storedName, marks)
  }

  private async here(): Promise<Marks> {
    const { directories } = this.parts
    const marks = directories.map(async (one) => [one, await markOf(one)] as const)
    return Object.fromEntries(await Promise.all(marks))
  }

  private async stored(): Promise<Marks> {
    const fields = Object.entries(objectOf(await this.parts.store.read(storedName)) ?? {})
    return Object.fromEntries(
      fields.flatMap(([name, mark]) => (typeof mark === 'string' ? [[name, mark]] : [])),
    )
  }
}

async function markOf(directory: string): Promise<string> {
  try {
    const { ino, birthtimeNs } = await stat(directory, { bigint: true })
    return `${ino} ${birthtimeNs}`
  } catch (error) {
    const why = errnoOf(error)
    throw new HoldfastError('E_RFS_DIRECTORY', `can't look at ${directory}: ${why}`)
  }
}

/** `holdfast rfs accept`. */
export function placesCommands(
  places: Places,
  areServed: () => Promise<boolean>,
): ReadonlyMap<string, Command> {
  return new Map<string, Command>([
    [
      'rfs accept',
      {
        summary:
          'take the directories of this node for the ones with its data, after a disk was replaced or a backup restored; the module may serve them then',
        parameters: { type: 'object', additionalProperties: false, properties: {} },
        positional: [],
        run: async () => {
          if (await areServed()) {
            throw new HoldfastError(
              'E_RFS_SERVED',
              'this node serves the directories: there is nothing to accept',
            )
          }
          const others = await places.take()
          const lines = others.map((one) => `${one} holds this node's data from now on`)
          const none =
            "the directories are those that held this node's data: there was nothing to accept"
          return {
            ok: true,
            lines: lines.length === 0 ? [none] : lines,
            data: { accepted: others },
          }
        },
      },
    ],
  ])
}
