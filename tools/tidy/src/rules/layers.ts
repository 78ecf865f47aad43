/** Who may import whom: core and plugins know the sdk and their own libraries, nothing of each other. */
import type { SourceFacts } from '../facts.js'
import type { Problem } from '../problem.js'
import type { Package } from '../repository.js'
import { isTest, libraryOf, packageOf } from './shared.js'

export function layerProblems(
  sources: readonly SourceFacts[],
  packages: readonly Package[],
  pluginIds: readonly string[],
): Problem[] {
  return sources.flatMap((source) => {
    const home = packageOf(source.path)
    const allowed = packages.find((one) => one.path === home)?.dependencies ?? []
    return [
      ...importProblems(source, home, allowed),
      ...(home === 'core' && !isTest(source.path) ? namedPlugins(source, pluginIds) : []),
    ]
  })
}

function importProblems(source: SourceFacts, home: string, allowed: readonly string[]): Problem[] {
  const isProduct = !isTest(source.path)
  return source.imports.flatMap(({ from, line }) => {
    const problem = (message: string): Problem[] => [
      { rule: 'layers', path: source.path, line, message },
    ]
    if (from.startsWith('.')) {
      const target = new URL(from, `file:///${source.path}`).pathname.slice(1)
      const left = packageOf(target) !== home
      return left ? problem(`"${from}" leaves the package; import the package by its name`) : []
    }
    const library = libraryOf(from)
    if (library === undefined || !isProduct) return []
    if (isClosed(home) && library.startsWith('@holdfast/') && library !== '@holdfast/sdk') {
      return problem(
        `${home} may import @holdfast/sdk only, not ${library}; talk through a token or a point`,
      )
    }
    if (!allowed.includes(library)) {
      return problem(`${library} is not in the dependencies of ${home}/package.json`)
    }
    return []
  })
}

/** The packages that the product's plug-in promise is about. */
function isClosed(home: string): boolean {
  return home === 'core' || home === 'sdk' || home.startsWith('plugins/')
}

function namedPlugins(source: SourceFacts, pluginIds: readonly string[]): Problem[] {
  return source.strings
    .filter(({ text }) => pluginIds.includes(text))
    .map(({ text, line }) => ({
      rule: 'layers',
      path: source.path,
      line,
      message: `core names the plugin "${text}"; it must work with any plugin that gives the same`,
    }))
}
