/** `holdfast registry`: where modules and plugins come from. */
import { resolve } from 'node:path'
import { HoldfastError } from '@holdfast/sdk'
import { exitCode, usageError } from '../exit.js'
import { writeTable } from '../output/table.js'
import type { ArgumentSpec, CommandSpec, Context, Input } from '../spec.js'
import { jsonOption, timeOf } from './options.js'
import { keyOf } from './packages.js'
import { ended, type JobAnswer } from './source.js'

interface RegistryAnswer {
  readonly name: string
  readonly address: string
  /** Empty: nobody. */
  readonly key: string
  readonly number: number
  readonly failure: string
  readonly modules: number
  readonly plugins: number
  readonly expires?: string
  readonly expired?: string
}

interface RegistriesAnswer {
  readonly registries: readonly RegistryAnswer[]
}

interface OfferAnswer {
  readonly source: string
  readonly id?: string
  readonly version: string
  readonly title: string
  readonly platforms: readonly string[]
  readonly requires: Readonly<Record<string, string>>
  readonly bytes: number
  /** Of a plugin. */
  readonly capabilities?: readonly string[]
}

const name: ArgumentSpec = { name: 'NAME', required: true, summary: 'name of the registry' }

export const registryCommand: CommandSpec = {
  name: 'registry',
  summary: 'where modules and plugins come from: registries, and what they offer',
  examples: [
    'holdfast registry search database',
    'holdfast registry add acme https://acme.example/holdfast/',
  ],
  commands: [
    {
      name: 'add',
      summary:
        'ask this registry from now on; a key that this node trusts must have signed its index',
      arguments: [
        name,
        { name: 'ADDRESS', required: true, summary: 'https://…, http://… or a directory' },
      ],
      options: [{ long: 'unsigned', summary: 'trust the server instead of a signature' }],
      examples: [
        'holdfast trust add acme acme.pem',
        'holdfast registry add acme https://acme.example/holdfast/',
      ],
      run: add,
    },
    {
      name: 'remove',
      summary: 'do not ask this registry any more',
      arguments: [name],
      examples: ['holdfast registry remove acme'],
      run: async (context, input) => {
        const path = `/registries/${encodeURIComponent(input.argument('NAME') ?? '')}`
        return tell(context, await context.client.ask<RegistriesAnswer>('DELETE', path))
      },
    },
    {
      name: 'list',
      summary: 'the registries that this node asks',
      options: [jsonOption],
      examples: ['holdfast registry list'],
      run: async (context, input) => {
        const answer = await context.client.get<RegistriesAnswer>('/registries')
        return tell(context, answer, input.flag('json'))
      },
    },
    {
      name: 'update',
      summary: 'fetch the index of each registry',
      examples: ['holdfast registry update'],
      run: async (context) => {
        const path = '/registries/update'
        const answer = await context.client.ask<RegistriesAnswer>('POST', path, { body: {} })
        tell(context, answer)
        const isFine = answer.registries.every(({ failure }) => failure === '')
        return isFine ? exitCode.done : exitCode.refused
      },
    },
    {
      name: 'search',
      summary: 'what can be installed: delivered, of registries, and of the other nodes',
      arguments: [{ name: 'WORDS', summary: 'all of them must be in id, title or description' }],
      options: [jsonOption],
      examples: ['holdfast registry search', 'holdfast registry search "sql database"'],
      run: search,
    },
    {
      name: 'show',
      summary: 'all versions of a module or plugin',
      arguments: [{ name: 'ID', required: true, summary: 'the module or plugin' }],
      options: [jsonOption],
      examples: ['holdfast registry show postgresql'],
      run: show,
    },
    {
      name: 'mirror',
      summary: 'copy a registry with its signature to a directory of this node',
      arguments: [name, { name: 'DIR', required: true, summary: 'where', complete: 'file' }],
      examples: ['holdfast registry mirror acme /srv/www/acme'],
      run: mirror,
    },
    {
      name: 'publish',
      summary:
        'put an archive into the directory of a registry and sign its next index; needs no cluster',
      arguments: [{ name: 'FILE', required: true, summary: 'the archive', complete: 'file' }],
      options: [
        { long: 'to', value: 'DIR', summary: 'directory of the registry', complete: 'file' },
        {
          long: 'key',
          value: 'FILE',
          summary: 'private key (PEM) that signs it',
          complete: 'file',
        },
        { long: 'name', value: 'NAME', summary: 'name of a new registry' },
        { long: 'valid', value: 'TIME', summary: 'how long clients may use this index (90d)' },
      ],
      examples: ['holdfast registry publish web-1.0.0.safe --to /srv/www/acme --key acme.key'],
      run: publishFile,
    },
  ],
}

async function add(context: Context, input: Input): Promise<number> {
  const address = input.argument('ADDRESS') ?? ''
  const isDirectory = !/^[a-z]+:\/\//.test(address)
  const body = {
    name: input.argument('NAME'),
    address: isDirectory ? resolve(address) : address,
    unsigned: input.flag('unsigned'),
  }
  return tell(context, await context.client.ask<RegistriesAnswer>('POST', '/registries', { body }))
}

function tell({ terminal }: Context, { registries }: RegistriesAnswer, asJson = false): number {
  if (asJson) terminal.json(registries)
  else if (registries.length === 0) {
    terminal.out(
      'No registry is asked; what is delivered and what other nodes have can be installed.',
    )
  } else {
    const rows = registries.map((one) => [
      { text: one.name },
      { text: String(one.modules) },
      { text: String(one.plugins) },
      { text: one.key === '' ? 'nobody' : one.key },
      { text: one.expires ?? 'never fetched' },
      { text: one.address },
    ])
    writeTable(
      terminal,
      ['REGISTRY', 'MODULES', 'PLUGINS', 'SIGNED BY', 'EXPIRES', 'ADDRESS'],
      rows,
    )
  }
  for (const { name: registry, failure, expired } of registries) {
    if (failure !== '') terminal.warning(`${registry}: ${failure}`)
    else if (expired !== undefined) terminal.warning(`${registry}: ${expired}`)
  }
  return exitCode.done
}

async function search(context: Context, input: Input): Promise<number> {
  const { client, terminal } = context
  const query = { text: input.argument('WORDS') }
  const { modules } = await client.get<{ modules: readonly OfferAnswer[] }>('/registry/modules', {
    query,
  })
  const { plugins } = await client.get<{ plugins: readonly OfferAnswer[] }>('/registry/plugins', {
    query,
  })
  const found = [
    ...modules.map((one) => ({ kind: 'module', ...one })),
    ...plugins.map((one) => ({ kind: 'plugin', ...one })),
  ]
  if (input.flag('json')) terminal.json(found)
  else if (found.length === 0) terminal.out('Nothing found.  next: holdfast registry update')
  else {
    const rows = bySource(found).map(({ kind, id = '', version, source, title }) => [
      ...[{ text: kind }, { text: id }, { text: version }, { text: source }, { text: title }],
    ])
    writeTable(terminal, ['KIND', 'ID', 'VERSION', 'FROM', 'TITLE'], rows)
  }
  return exitCode.done
}

async function show(context: Context, input: Input): Promise<number> {
  const { terminal } = context
  const id = input.argument('ID') ?? ''
  const versions = await versionsOf(context, id)
  if (input.flag('json')) {
    terminal.json(versions)
    return exitCode.done
  }
  const rows = bySource(versions).map(
    ({ version, source, platforms, requires, bytes, title, ...more }) => [
      ...[{ text: version }, { text: source }, { text: platforms.join(', ') }],
      { text: `${Math.ceil(bytes / 1024)} KB` },
      { text: requirementsOf(requires) },
      { text: (more.capabilities ?? []).join(', ') },
      { text: title },
    ],
  )
  writeTable(terminal, ['VERSION', 'FROM', 'PLATFORMS', 'SIZE', 'PLUGINS', 'MAY', 'TITLE'], rows)
  return exitCode.done
}

/** One line for what several places have: each node has what is delivered. */
function bySource<T extends OfferAnswer & { readonly kind?: string }>(
  offers: readonly T[],
): readonly T[] {
  const groups = new Map<string, T>()
  for (const offer of offers) {
    const key = JSON.stringify({ ...offer, source: undefined })
    const before = groups.get(key)
    const source = before === undefined ? offer.source : `${before.source}, ${offer.source}`
    groups.set(key, { ...offer, source })
  }
  return [...groups.values()]
}

/** Of a module and a plugin with the same name the module is meant, as everywhere. */
async function versionsOf({ client }: Context, id: string): Promise<readonly OfferAnswer[]> {
  type Answer = { readonly versions: readonly OfferAnswer[] }
  const path = (kind: string): string => `/registry/${kind}/${encodeURIComponent(id)}`
  try {
    return (await client.get<Answer>(path('modules'))).versions
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'E_REGISTRY_UNKNOWN') throw error
    return (await client.get<Answer>(path('plugins'))).versions
  }
}

function requirementsOf(requires: Readonly<Record<string, string>>): string {
  const list = Object.entries(requires).map((pair) => pair.join(' '))
  return list.join(', ') || 'none'
}

async function mirror(context: Context, input: Input): Promise<number> {
  const directory = resolve(input.argument('DIR') ?? '')
  const body = { registry: input.argument('NAME'), directory }
  const job = await context.client.ask<JobAnswer>('POST', '/registry/mirror', { body })
  const { archives } = await ended<{ readonly archives: number }>(context, job, 'mirror')
  context.terminal.out(`${directory}  ${archives} archives and the signed index`)
  return exitCode.done
}

/** Here and not in the node: a publisher has a directory and a key, and no cluster. */
async function publishFile(context: Context, input: Input): Promise<number> {
  const directory = input.option('to')
  const privatePem = await keyOf(input)
  if (directory === undefined || privatePem === undefined) {
    throw usageError('publish needs --to and --key', 'write --to DIR --key FILE')
  }
  // Loaded only here: the other commands shall start quickly.
  const { publish } = await import('@holdfast/pack')
  const file = input.argument('FILE') ?? ''
  const index = await publish([resolve(file)], resolve(directory), {
    name: input.option('name') ?? 'registry',
    nowMs: Date.now(),
    validMs: timeOf(input, 'valid', '90d'),
    privatePem,
  })
  const { number, expires, modules, plugins } = index
  const stock = `${modules.length} modules, ${plugins.length} plugins`
  context.terminal.out(`${directory}  index ${number}, ${stock}, good until ${expires}`)
  return exitCode.done
}
