/** What plugins want the operator to see beside a module's state: bounded, and no plugin can spoil the whole answer. */
import { messageOf, type Remark } from '@holdfast/sdk'

export const remarkCharactersMax = 300

/** `all`: id → remark. */
export function remarksOf(all: ReadonlyMap<string, Remark>): readonly string[] {
  return [...all].flatMap(([id, remark]) => {
    try {
      return remark.text()?.slice(0, remarkCharactersMax) ?? []
    } catch (thrown) {
      return [`remark ${id} failed: ${messageOf(thrown)}`] // Foreign code: told with its name.
    }
  })
}
