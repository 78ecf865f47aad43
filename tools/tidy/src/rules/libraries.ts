/** A library is imported by exactly one file of a package, so that replacing it means changing one file. */
import type { SourceFacts } from '../facts.js'
import type { Problem } from '../problem.js'
import { isTest, libraryOf, packageOf } from './shared.js'

export function libraryProblems(sources: readonly SourceFacts[]): Problem[] {
  const importers = new Map<string, { path: string; line: number }[]>()
  for (const source of sources.filter(({ path }) => !isTest(path))) {
    const libraries = source.imports.flatMap(({ from, line, names, typeOnly }) => {
      const library = libraryOf(from)
      if (library === undefined || library.startsWith('@holdfast/')) return []
      // Imported for its effect only (a polyfill): there is nothing to wrap.
      return names.length === 0 && !typeOnly ? [] : [{ library, line }]
    })
    for (const { library, line } of libraries) {
      const key = `${packageOf(source.path)} ${library}`
      const known = importers.get(key) ?? []
      if (known.some(({ path }) => path === source.path)) continue
      importers.set(key, [...known, { path: source.path, line }])
    }
  }
  return [...importers].flatMap(([key, [first, ...others]]) =>
    others.map(({ path, line }) => ({
      rule: 'libraries',
      path,
      line,
      message: `${key.split(' ')[1] ?? ''} is imported by ${first?.path ?? ''} already; use what that file exports`,
    })),
  )
}
