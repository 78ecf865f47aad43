/** All rules over a repository. */
import { factsOf } from './facts.js'
import { type Problem, sortProblems } from './problem.js'
import type { Ratchet, Repository } from './repository.js'
import { layerProblems } from './rules/layers.js'
import { libraryProblems } from './rules/libraries.js'
import { purityProblems } from './rules/purity.js'
import { measure, sizeProblems } from './rules/sizes.js'
import { pathProblems, writingProblems } from './rules/writing.js'

export function findProblems(
  repository: Repository,
  allowed: Ratchet,
): { readonly problems: readonly Problem[]; readonly over: Ratchet } {
  const sources = repository.sources.map(factsOf)
  const problems = [
    ...layerProblems(sources, repository.packages, repository.pluginIds),
    ...libraryProblems(sources),
    ...purityProblems(sources),
    ...sizeProblems(sources, allowed),
    ...writingProblems(sources),
    ...pathProblems([...repository.sources, ...repository.texts]),
  ]
  return { problems: sortProblems(problems), over: measure(sources) }
}
