/** `holdfast completion`: the script that makes a shell complete our commands. */
import { bashScript } from '../completion/bash.js'
import { fishScript } from '../completion/fish.js'
import { nodesOf } from '../completion/tree.js'
import { zshScript } from '../completion/zsh.js'
import { exitCode, usageError } from '../exit.js'
import type { CommandSpec } from '../spec.js'

const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript }

export const completionCommand: CommandSpec = {
  name: 'completion',
  summary: 'print the completion script for a shell',
  arguments: [
    { name: 'SHELL', required: true, summary: 'bash, zsh or fish', complete: Object.keys(scripts) },
  ],
  examples: [
    'source <(holdfast completion bash)',
    'holdfast completion zsh > "${fpath[1]}/_holdfast"',
    'holdfast completion fish > ~/.config/fish/completions/holdfast.fish',
  ],
  run: (context, input) => {
    const shell = input.argument('SHELL') ?? ''
    const script = Object.entries(scripts).find(([name]) => name === shell)?.[1]
    if (script === undefined) throw usageError(`no completion for "${shell}"`, 'bash, zsh or fish')
    context.terminal.out(script(nodesOf(context.commands)))
    return Promise.resolve(exitCode.done)
  },
}
