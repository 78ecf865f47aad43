/** What a search for changes of others makes of one name of a tree. Pure. */
import type { BytePath } from '../resync-port.js'
import { type Changed, foreignKey, type Gap, isForeign, type Looked } from './gaps.js'
import type { Keys } from './keys.js'

export interface Sought {
  readonly gaps: readonly Gap[]
  /** What the journal of this side tells of already. */
  readonly told: Keys
  /** What is found is added to it. */
  readonly found: Keys
}

export interface Seen extends Looked {
  readonly volume: number
  readonly path: BytePath
  readonly changed: Changed
}

/** `beneath`: what is in it is looked at too, as in a directory that was changed by others, or in any other. */
export function lookAt(
  { volume, path, changed, ...looked }: Seen,
  { gaps, told, found }: Sought,
): 'beneath' | 'beneathForeign' | 'done' {
  const { isDirectory } = looked
  if (isForeign(gaps, changed, () => told.tellsOf(volume, path))) {
    if (foreignKey(looked) === 'entry') {
      // Everything beneath is compared.
      found.addEntry(volume, path)
      return 'done'
    }
    found.addNames(volume, path)
    return 'beneathForeign'
  }
  if (!isDirectory) return 'done'
  // Our own change may have hidden that it was changed before: its key tells.
  return told.hasNames(volume, path) ? 'beneathForeign' : 'beneath'
}
