/** Completion for zsh. */
import type { Completion } from '../spec.js'
import { flagsOf, listCommand, type TreeNode } from './tree.js'

export function zshScript(nodes: readonly TreeNode[]): string {
  const paths = nodes.filter(({ path }) => path !== '').map(({ path }) => path)
  return `#compdef holdfast
# zsh completion for holdfast: holdfast completion zsh > "\${fpath[1]}/_holdfast"
_holdfast() {
  local place= word previous=\${words[CURRENT-1]}
  local -a candidates
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$place/$word" in
      ${paths.join('|')}) place="$place/$word" ;;
    esac
  done
  case "$place $previous" in
${nodes.flatMap(valueCases).join('\n')}
  esac
  case "$place" in
${nodes.map(wordCase).join('\n')}
  esac
}
if [ "$funcstack[1]" = "_holdfast" ]; then _holdfast "$@"; else compdef _holdfast holdfast; fi`
}

function valueCases({ path, options }: TreeNode): readonly string[] {
  return options.flatMap((option) => {
    if (option.value === undefined) return []
    const patterns = flagsOf(option).map((flag) => `'${path} ${flag}'`)
    const offer = option.complete === undefined ? ':' : offerOf(option.complete)
    return [`    ${patterns.join('|')}) ${offer}; return ;;`]
  })
}

function wordCase({ path, children, options, completions }: TreeNode): string {
  const described = [
    ...children.map(({ name, summary }) => `${name}:${summary}`),
    ...options.flatMap((option) => flagsOf(option).map((flag) => `${flag}:${option.summary}`)),
  ].map((text) => `'${text.replaceAll("'", "'\\''")}'`)
  const offers = completions.map((completion) => `${offerOf(completion)}; `).join('')
  return `    '${path}') ${offers}candidates=(${described.join(' ')}); _describe 'holdfast' candidates ;;`
}

function offerOf(completion: Completion): string {
  if (completion === 'file') return '_files'
  return `compadd -- \${(f)"$(${listCommand(completion)})"}`
}
