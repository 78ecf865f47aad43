/**
 * What the keys of a journal presuppose beside the peer: the same directories in the same order, the same rules of what is left out,
 * and the same file systems beneath. They are kept with the base; when one of them is another, everything is compared.
 */
import { createHash } from 'node:crypto'
import { fstatSync } from 'node:fs'
import type { PlaneLaunch } from '../driver/protocol.js'
import type { ResyncVolume, Standing } from './resync-port.js'

export interface Marks {
  /** Of the configuration. */
  readonly layout: string
  /** Of the directories themselves, as they are on this node. */
  readonly places: string
}

/** `roots`: descriptors of the directories beneath the mounts. */
export function marksOf(volumes: PlaneLaunch['volumes'], roots: readonly number[]): Marks {
  return {
    layout: digest(volumes.map(({ directory, notReplicated }) => [directory, notReplicated ?? []])),
    // A directory that was made anew, or whose file system was, was born later.
    places: digest(
      roots.map((root) => {
        const { ino, birthtimeNs } = fstatSync(root, { bigint: true })
        return [String(ino), String(birthtimeNs)]
      }),
    ),
  }
}

/** What is written into the journal when both trees are equal. */
export function baseUnder(session: string, { layout, places }: Marks): string {
  return `${session}/${layout}/${places}`
}

/** What the peer is told of a journal that was opened under these marks. */
export function standingUnder(stored: Standing, now: Marks): Standing {
  if (stored.base === undefined) return stored
  const [base, layout, places] = stored.base.split('/')
  const untrusted = (why: string): Standing => ({ trusted: false, why, base })
  if (!stored.trusted) return { ...stored, base }
  if (layout !== now.layout) {
    return untrusted('the list of directories, or of what is left out of them, was changed')
  }
  if (places !== now.places) {
    return untrusted('a directory is not the one that it was: made anew, or on another disk')
  }
  return { ...stored, base }
}

function digest(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16)
}

/** What the copy's worker is told of the volumes. */
export function resyncVolumes(
  { volumes: configured }: PlaneLaunch,
  volumes: readonly { readonly index: number; readonly root: number }[],
): readonly ResyncVolume[] {
  return volumes.map(({ index, root }) => {
    const notReplicated = configured[index]?.notReplicated
    return { index, root, ...(notReplicated === undefined ? {} : { notReplicated }) }
  })
}
