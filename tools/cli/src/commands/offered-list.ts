/** `holdfast module commands`: what the plugins of a module offer, for people and for the shell's completion. */
import type { CommandsAnswer } from '../api/views.js'
import { exitCode } from '../exit.js'
import { writeTable } from '../output/table.js'
import type { CommandSpec, Context, Input } from '../spec.js'
import { chosenModule, chosenNode, jsonOption, nodesOption } from './options.js'

export const moduleCommandsCommand: CommandSpec = {
  name: 'commands',
  summary: 'list the commands that the plugins of a module offer',
  arguments: [
    {
      name: 'NAME',
      summary: 'the module; not needed when there is only one',
      complete: 'module',
    },
  ],
  options: [
    nodesOption,
    jsonOption,
    { short: 'q', long: 'quiet', summary: 'only their words, one a line' },
  ],
  examples: ['holdfast module commands web'],
  run: list,
}

async function list(context: Context, input: Input): Promise<number> {
  const { client, terminal } = context
  const node = await chosenNode(context, input)
  const module = await chosenModule(context, input.argument('NAME'), node)
  const path = `/modules/${encodeURIComponent(module)}/commands`
  const { commands } = await client.get<CommandsAnswer>(path, { node })
  if (input.flag('json')) terminal.json(commands)
  else if (input.flag('quiet')) {
    const words = new Set(commands.flatMap((one) => one.words.split(' ')))
    for (const word of words) terminal.out(word)
  } else if (commands.length === 0) terminal.out('none')
  else {
    const rows = commands.map(({ words, summary }) => [{ text: words }, { text: summary }])
    writeTable(terminal, ['COMMAND', 'WHAT'], rows)
  }
  return exitCode.done
}
