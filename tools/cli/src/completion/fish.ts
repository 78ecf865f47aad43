/** Completion for fish. */
import type { Completion, OptionSpec } from '../spec.js'
import { listCommand, type TreeNode } from './tree.js'

export function fishScript(nodes: readonly TreeNode[]): string {
  const paths = nodes.filter(({ path }) => path !== '').map(({ path }) => path)
  return `# fish completion for holdfast: holdfast completion fish > ~/.config/fish/completions/holdfast.fish
function __holdfast_at
    set -l place ''
    for word in (commandline -opc)[2..-1]
        switch "$place/$word"
            case ${paths.join(' ')}
                set place "$place/$word"
        end
    end
    test "$place" = "$argv[1]"
end
complete -c holdfast -f
${nodes.flatMap(linesOf).join('\n')}`
}

function linesOf(node: TreeNode): readonly string[] {
  const start = `complete -c holdfast -n "__holdfast_at '${node.path}'"`
  return [
    ...node.children.map(({ name, summary }) => `${start} -a ${name} -d ${quoted(summary)}`),
    ...node.options.map((option) => `${start} ${optionText(option)}`),
    ...node.completions.map((completion) => `${start} ${offerOf(completion)}`),
  ]
}

function optionText(option: OptionSpec): string {
  const short = option.short === undefined ? '' : `-s ${option.short} `
  const value = option.value === undefined ? '' : ` ${valueText(option.complete)}`
  return `${short}-l ${option.long} -d ${quoted(option.summary)}${value}`
}

/** `-x`: behind this option stands a value, and never a file. */
function valueText(completion: Completion | undefined): string {
  if (completion === undefined) return '-x'
  return completion === 'file' ? '-r -F' : `-x ${offerOf(completion)}`
}

function offerOf(completion: Completion): string {
  return completion === 'file' ? '-F' : `-a ${quoted(`(${listCommand(completion)})`)}`
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
