/** For tests: a store in memory. */
import type { Store } from '@holdfast/sdk'

/** What a value looks like after it was on disk: JSON. `kept`: what outlives whoever uses the store. */
export function memoryStore(kept = new Map<string, string>()): Store {
  return { ...filesIn(kept), volatile: filesIn(new Map<string, string>()) }
}

function filesIn(texts: Map<string, string>): Omit<Store, 'volatile'> {
  return {
    read: <T>(name: string) => {
      const text = texts.get(name)
      // The store's contract: the caller knows what it has written.
      return Promise.resolve(text === undefined ? undefined : (JSON.parse(text) as T))
    },
    write: (name, value) => Promise.resolve(void texts.set(name, JSON.stringify(value))),
    remove: (name) => Promise.resolve(void texts.delete(name)),
  }
}
