/** For tests: a store in memory. */
import type { Store } from '@holdfast/sdk'

export function memoryStore(kept = new Map<string, unknown>()): Store {
  const files: Omit<Store, 'volatile'> = {
    // The store's contract: the caller knows what it has written.
    read: <T>(name: string) => Promise.resolve(kept.get(name) as T | undefined),
    write: (name, value) => Promise.resolve(void kept.set(name, value)),
    remove: (name) => Promise.resolve(void kept.delete(name)),
  }
  return { ...files, volatile: files }
}
