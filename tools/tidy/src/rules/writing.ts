/** Small things that a reader stumbles over: escape hatches of the type system, forgotten notes, private paths. */
import type { SourceFacts } from '../facts.js'
import type { Problem } from '../problem.js'
import type { TextFile } from '../repository.js'

// Written in pieces, so that this file does not find itself.
const escapes = new RegExp(`@ts-(${['ignore', 'nocheck', 'expect-error'].join('|')})`)
const notes = new RegExp(
  `\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'].join('|')})\\b`,
)
const privatePaths = new RegExp(
  `(^|[\\s"'\`(=:])/(${['wor' + 'k', 'ho' + 'me', 'Use' + 'rs'].join('|')})/\\w`,
)

export function writingProblems(sources: readonly SourceFacts[]): Problem[] {
  return sources.flatMap((source) => {
    const problem = (rule: string, message: string) => (line: number) => ({
      ...{ rule, path: source.path, line, message },
    })
    const commentsWith = (wanted: RegExp) =>
      source.comments.filter(({ text }) => wanted.test(text)).map(({ line }) => line)
    return [
      ...source.anyTypes.map(
        problem('any', 'any switches the compiler off; write unknown and look'),
      ),
      ...source.defaultExports.map(problem('default-export', 'export it by its name')),
      ...commentsWith(escapes).map(
        problem('any', 'the compiler is told to look away; fix the type'),
      ),
      ...source.comments
        .filter(({ text }) => notes.test(text) && !/#\d+/.test(text))
        .map(({ line }) =>
          problem('notes', 'a note without an issue number is forgotten; add #N')(line),
        ),
    ]
  })
}

export function pathProblems(texts: readonly TextFile[]): Problem[] {
  return texts.flatMap(({ path, text }) =>
    text.split('\n').flatMap((one, index) =>
      privatePaths.test(one)
        ? [
            {
              rule: 'paths',
              path,
              line: index + 1,
              message: 'a path of one machine; make it relative or configurable',
            },
          ]
        : [],
    ),
  )
}
