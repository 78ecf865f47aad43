/** Completion for bash. */
import { flagsOf, listCommand, type TreeNode } from './tree.js'

export function bashScript(nodes: readonly TreeNode[]): string {
  const paths = nodes.filter(({ path }) => path !== '').map(({ path }) => path)
  return `# bash completion for holdfast: source <(holdfast completion bash)
_holdfast() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} path= word
  COMPREPLY=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$path/$word" in
      ${paths.join('|')}) path="$path/$word" ;;
    esac
  done
  case "$path $previous" in
${nodes.flatMap(valueCases).join('\n')}
  esac
  case "$path" in
${nodes.map(wordCase).join('\n')}
  esac
}
complete -F _holdfast holdfast`
}

/** What stands behind an option that takes a value. */
function valueCases({ path, options }: TreeNode): readonly string[] {
  return options.flatMap((option) => {
    if (option.value === undefined) return []
    const patterns = flagsOf(option).map((flag) => `'${path} ${flag}'`)
    return [`    ${patterns.join('|')}) ${reply(option.complete)}; return ;;`]
  })
}

function wordCase({ path, children, options, completions }: TreeNode): string {
  const words = [...children.map(({ name }) => name), ...options.flatMap(flagsOf)].join(' ')
  const lists = completions.map((completion) =>
    completion === 'file' ? 'compgen -f -- "$current"' : listCommand(completion),
  )
  const all = [`printf '%s\\n' ${words}`, ...lists].join('; ')
  return `    '${path}') mapfile -t COMPREPLY < <(compgen -W "$(${all})" -- "$current") ;;`
}

function reply(completion: TreeNode['completions'][number] | undefined): string {
  if (completion === undefined) return ':'
  if (completion === 'file') return 'mapfile -t COMPREPLY < <(compgen -f -- "$current")'
  return `mapfile -t COMPREPLY < <(compgen -W "$(${listCommand(completion)})" -- "$current")`
}
