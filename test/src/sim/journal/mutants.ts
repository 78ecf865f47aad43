/** Known-bad variants of the zone journal: the sweep must catch each. */
import type { JournalStore, StoredJournal } from '@holdfast/plugin-rfs/decisions'
import type { KnownBad } from '../machine.js'

interface Mutant extends KnownBad {
  readonly changes: Partial<Changes>
}

/** What a variant does instead of the product, or of a store that keeps its word. */
export interface Changes {
  store(store: JournalStore): JournalStore
  journal(journal: StoredJournal): StoredJournal
  readonly knowsBoot: boolean
}

const never = (): undefined => undefined

export const mutants: readonly Mutant[] = [
  {
    name: 'in-memory-only',
    mistake: 'lets a change be made before its key is written',
    changes: { journal: (journal) => Object.assign(journal, { flush: never }) },
  },
  {
    name: 'clean-unsynced',
    mistake: 'calls itself clean before it is on the disk',
    changes: { store: (store) => ({ ...store, sync: never }) },
  },
  {
    name: 'forgets-the-boot',
    mistake: 'trusts what was not synced when the machine was started again',
    changes: { knowsBoot: false },
  },
  {
    name: 'ignores-a-full-disk',
    mistake: 'goes on as if what found no room was written',
    changes: { store: (store) => ({ ...store, append: ignoring(store.append) }) },
  },
  {
    name: 'overwrites-in-place',
    mistake: 'empties the old file before the new one is whole',
    changes: {
      store: (store) => ({
        ...store,
        replace: (write) => {
          store.replace((put) => {
            let isFirst = true
            write((bytes) => {
              if (isFirst) put(bytes)
              isFirst = false
            })
          })
          store.replace(write)
        },
      }),
    },
  },
  {
    name: 'trusts-anything',
    mistake: 'trusts a journal that says that it is not to be trusted',
    changes: {
      journal: (journal) => {
        if (!journal.standing.trusted) journal.trust(journal.standing.base ?? 'unknown')
        return journal
      },
    },
  },
  {
    name: 'header-in-the-cache',
    mistake: 'says that it is clean where a power cut takes it away',
    changes: { store: (store) => ({ ...store, writeHeader: never }) },
  },
]

export function changesOf(name: string | undefined): Changes {
  return {
    ...{ store: (store) => store, journal: (journal) => journal, knowsBoot: true },
    ...mutants.find((one) => one.name === name)?.changes,
  }
}

function ignoring(append: JournalStore['append']): JournalStore['append'] {
  return (bytes) => {
    try {
      append(bytes)
    } catch (thrown) {
      if (!(thrown instanceof Error) || !('code' in thrown)) throw thrown
    }
  }
}
