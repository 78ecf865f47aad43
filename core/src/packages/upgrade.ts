/** Merges a new version of a package into the sources that an operator has: file by file, and value by value. Pure. */
import { type Contents, mergeFiles, mergeValues } from './merge.js'
import { contentsOf, macrosIn, originName, originOf } from './origin.js'
import { fileOf, makePackage, type ModulePackage, type PackageFile } from './package.js'
import { configurationName, withMacros } from './parameters.js'

export interface MergedPackage {
  readonly package: ModulePackage
  readonly taken: readonly string[]
  readonly conflicts: readonly string[]
  readonly notes: readonly string[]
}

const nothing: Contents = new Map()

/** Without a note of what was installed, every file that differs counts as changed by hand. */
export function mergePackages(ours: ModulePackage, theirs: ModulePackage): MergedPackage {
  const base = originOf(ours)
  const steps = mergeFiles(base?.files ?? nothing, contentsOf(ours), contentsOf(theirs))
  const of = (sources: ModulePackage, path: string): PackageFile[] =>
    sources.files.filter((file) => file.path === path)
  const files = steps.flatMap(({ kind, path }) => {
    if (kind === 'remove') return []
    return of(kind === 'take' ? theirs : ours, path)
  })
  const configuration = steps.find(({ path }) => path === configurationName)
  const merged = mergeMacros(ours, theirs, base?.macros ?? macrosIn(theirs))
  const isOurs = configuration?.kind === 'conflict'
  return {
    package: makePackage(
      // A configuration that the operator changed keeps his values and his text alike.
      isOurs ? files : files.map((file) => withValues(file, merged.values)),
      'the upgraded module',
    ),
    taken: pathsOf(steps, ['take', 'remove']),
    conflicts: pathsOf(steps, ['conflict']).filter((path) => path !== originName),
    notes: isOurs ? [] : merged.notes,
  }
}

function mergeMacros(
  ours: ModulePackage,
  theirs: ModulePackage,
  base: Contents,
): { readonly values: ReadonlyMap<string, string>; readonly notes: readonly string[] } {
  const own = macrosIn(ours)
  const merged = mergeValues(base, own, macrosIn(theirs))
  const fresh = merged.filter(({ isNewDefault }) => isNewDefault)
  return {
    values: new Map(merged.map(({ name, value }) => [name, value])),
    notes: fresh.map(
      ({ name, value }) => `${name}: the new default "${value}" replaces "${own.get(name) ?? ''}"`,
    ),
  }
}

/** Only macros that this text has: an operator may have added or removed some without changing the rest. */
function withValues(file: PackageFile, values: ReadonlyMap<string, string>): PackageFile {
  if (file.path !== configurationName) return file
  const present = macrosIn({ files: [file] })
  const known = new Map([...values].filter(([name]) => present.has(name)))
  const xml = withMacros(
    fileOf({ files: [file] }, configurationName) ?? '',
    known,
    configurationName,
  )
  return { ...file, data: Buffer.from(xml) }
}

function pathsOf(
  steps: readonly { readonly kind: string; readonly path: string }[],
  kinds: readonly string[],
): readonly string[] {
  return steps.filter(({ kind }) => kinds.includes(kind)).map(({ path }) => path)
}
