/**
 * Decides what an upgrade does with each file, from three versions of it: the one that was installed (base), the one
 * that the operator has (ours), the one of the new package (theirs). Pure. What was changed by hand is never overwritten.
 */

/** Path → identity of the content and the mode. */
export type Contents = ReadonlyMap<string, string>

export type Step =
  /** The new package's version, or its absence. */
  | { readonly kind: 'take' | 'remove'; readonly path: string }
  /** The operator's version: nobody else changed it, or both are the same. */
  | { readonly kind: 'keep'; readonly path: string }
  /** The operator's version stays although the package has another one: he is told. */
  | { readonly kind: 'conflict'; readonly path: string }

/** Sorted by path. */
export function mergeFiles(base: Contents, ours: Contents, theirs: Contents): readonly Step[] {
  const paths = [...new Set([...base.keys(), ...ours.keys(), ...theirs.keys()])].sort()
  return paths.map((path) => stepOf(path, base.get(path), ours.get(path), theirs.get(path)))
}

function stepOf(
  path: string,
  base: string | undefined,
  ours: string | undefined,
  theirs: string | undefined,
): Step {
  if (ours === theirs || base === theirs) return { kind: 'keep', path }
  if (base === ours) return { kind: theirs === undefined ? 'remove' : 'take', path }
  return { kind: 'conflict', path }
}

export interface MergedValue {
  readonly name: string
  readonly value: string
  /** The operator did not choose this value, and the new package has another one. */
  readonly isNewDefault: boolean
}

/** The same for the values of parameters; a parameter that the new package does not have any more is left out. */
export function mergeValues(
  base: Contents,
  ours: Contents,
  theirs: Contents,
): readonly MergedValue[] {
  return [...theirs].map(([name, value]) => {
    const own = ours.get(name)
    const wasChosen = own !== undefined && own !== base.get(name)
    if (wasChosen || own === value) return { name, value: own, isNewDefault: false }
    return { name, value, isNewDefault: own !== undefined }
  })
}
