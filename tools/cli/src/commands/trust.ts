/** `holdfast trust`: the keys whose plugins may run inside holdfastd, and whose packages are known by name. */
import { readFile } from 'node:fs/promises'
import type { TrustedKeyView } from '@holdfast/sdk'
import { exitCode, unreadable } from '../exit.js'
import { writeTable } from '../output/table.js'
import type { CommandSpec, Context, Input } from '../spec.js'
import { everywhere } from './everywhere.js'
import { chosenNode, jsonOption, nodesOption } from './options.js'

export const trustCommand: CommandSpec = {
  name: 'trust',
  summary: 'the keys of plugin and package authors that you trust',
  examples: ['holdfast trust add acme acme.pub -H "*"'],
  commands: [
    {
      name: 'add',
      summary: 'trust a key: code that it signed may do anything on this node',
      arguments: [
        { name: 'NAME', required: true, summary: 'whose key it is' },
        { name: 'FILE', required: true, summary: 'the public key, PEM', complete: 'file' },
      ],
      options: [nodesOption],
      examples: ['holdfast trust add acme acme.pub -H "*"'],
      run: add,
    },
    {
      name: 'list',
      summary: 'the keys that this node trusts',
      options: [nodesOption, jsonOption],
      examples: ['holdfast trust list'],
      run: list,
    },
    {
      name: 'remove',
      summary: 'trust a key no longer; its plugins are refused from the next start of holdfastd on',
      arguments: [{ name: 'NAME', required: true, summary: 'its name, or its id' }],
      options: [nodesOption],
      examples: ['holdfast trust remove acme -H "*"'],
      run: remove,
    },
  ],
}

async function add(context: Context, input: Input): Promise<number> {
  const file = input.argument('FILE') ?? ''
  const body = { name: input.argument('NAME') ?? '', pem: await textOf(file) }
  return everywhere(context, input, async (node) => {
    const key = await context.client.ask<TrustedKeyView>('POST', '/trust', { body, node })
    return `key ${key.id} is trusted as ${key.name}`
  })
}

async function remove(context: Context, input: Input): Promise<number> {
  const path = `/trust/${encodeURIComponent(input.argument('NAME') ?? '')}`
  return everywhere(context, input, async (node) => {
    const key = await context.client.ask<TrustedKeyView>('DELETE', path, { node })
    return `key ${key.id} (${key.name}) is not trusted any more`
  })
}

async function list(context: Context, input: Input): Promise<number> {
  const { client, terminal } = context
  const node = await chosenNode(context, input)
  const { keys } = await client.get<{ keys: readonly TrustedKeyView[] }>('/trust', { node })
  if (input.flag('json')) terminal.json(keys)
  else if (keys.length === 0) terminal.out('none')
  else
    writeTable(
      terminal,
      ['NAME', 'ID'],
      keys.map(({ name, id }) => [{ text: name }, { text: id }]),
    )
  return exitCode.done
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw unreadable(file, error)
  }
}
