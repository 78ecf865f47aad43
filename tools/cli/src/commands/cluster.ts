/** `holdfast cluster`: forming a cluster, joining it, changing it, looking at it. */
import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { HoldfastError, messageOf } from '@holdfast/sdk'
import type { ClusterView } from '../api/views.js'
import { cliErrors, exitCode, usageError } from '../exit.js'
import { duration } from '../output/format.js'
import { writeTable } from '../output/table.js'
import type { CommandSpec, Context, Input } from '../spec.js'
import { typedLans } from './lans.js'
import { jsonOption, timeOf } from './options.js'
import { readSecret } from './secret.js'

/** More than a node accepts anyway. */
const fileBytesMax = 1 << 20
/** What the node accepts; told here in the words in which it was typed. */
const ttlLimitsMs = { min: 10_000, max: 24 * 3_600_000 }

export const clusterCommand: CommandSpec = {
  name: 'cluster',
  summary: 'form, join, change and show the cluster',
  examples: ['holdfast cluster init --node n1 cluster.xml', 'holdfast cluster state'],
  commands: [
    {
      name: 'init',
      summary: 'make this node the first one of a new cluster',
      arguments: [{ name: 'FILE', summary: 'the cluster.xml', complete: 'file' }],
      options: [
        { long: 'node', value: 'NAME', summary: 'name of this node (its host name unless told)' },
        {
          long: 'lan',
          value: 'LAN=NODE:ADDRESS,…',
          summary: 'instead of FILE: a network and its nodes; may be repeated',
          repeated: true,
        },
      ],
      examples: [
        'holdfast cluster init --node n1 cluster.xml',
        'holdfast cluster init --node n1 --lan default=n1:10.0.0.1,n2:10.0.0.2',
      ],
      run: init,
    },
    {
      name: 'invite',
      summary: 'print a one-time token with which a node joins',
      arguments: [{ name: 'NODE', required: true, summary: 'name of the node, as in cluster.xml' }],
      options: [{ long: 'ttl', value: 'TIME', summary: 'how long the token is good (15m)' }],
      examples: [
        'holdfast cluster invite n2 --ttl 1h',
        'holdfast cluster invite n2 | ssh n2 holdfast cluster join',
      ],
      run: invite,
    },
    {
      name: 'join',
      summary: 'join a cluster with a token from "cluster invite"',
      arguments: [
        {
          name: 'TOKEN',
          summary: 'better by standard input or $HOLDFAST_TOKEN: others see a command line',
        },
      ],
      examples: ['holdfast cluster join < token', 'holdfast cluster join'],
      run: join,
    },
    {
      name: 'state',
      summary: 'nodes and their networks',
      options: [jsonOption, { short: 'q', long: 'quiet', summary: 'only names of nodes' }],
      examples: ['holdfast cluster state', 'holdfast cluster state --json'],
      run: state,
    },
    {
      name: 'config',
      summary: 'apply a cluster.xml on all nodes, or on none',
      arguments: [{ name: 'FILE', required: true, summary: 'the cluster.xml', complete: 'file' }],
      examples: ['holdfast cluster xml > c.xml; vi c.xml; holdfast cluster config c.xml'],
      run: configure,
    },
    {
      name: 'remove',
      summary: 'remove a node that is lost or needed elsewhere; its certificate counts no longer',
      arguments: [{ name: 'NODE', required: true, summary: 'not this one', complete: 'node' }],
      examples: ['holdfast cluster remove n2'],
      run: remove,
    },
    {
      name: 'xml',
      summary: 'print the applied cluster.xml',
      examples: ['holdfast cluster xml > cluster.xml'],
      run: async (context) => {
        const { xml } = await context.client.get<{ readonly xml: string }>('/cluster/xml')
        context.terminal.out(xml.trimEnd())
        return exitCode.done
      },
    },
  ],
}

async function init(context: Context, input: Input): Promise<number> {
  const file = input.argument('FILE')
  const lans = input.options('lan')
  if ((file === undefined) === (lans.length === 0)) {
    throw usageError('cluster init needs either FILE or --lan', 'holdfast cluster init --help')
  }
  const typed = typedLans(lans)
  const xml = file === undefined ? typed.xml : await readText(file)
  const body = { xml, node: input.option('node') ?? hostname().split('.')[0] }
  const view = await context.client
    .ask<ClusterView>('POST', '/cluster/init', { body })
    .catch((error: unknown) => {
      const isTyped = file === undefined && error instanceof HoldfastError
      throw isTyped ? typed.reworded(error) : error
    })
  tellMember(context, view)
  const others = view.nodes.map((one) => one.node).filter((name) => name !== view.self)
  for (const other of others) {
    context.terminal.out(
      `  next: holdfast cluster invite ${other}, then on ${other}: holdfast cluster join`,
    )
  }
  return exitCode.done
}

async function invite(context: Context, input: Input): Promise<number> {
  const node = input.argument('NODE') ?? ''
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(node)) {
    throw usageError(
      `"${node}" can't be the name of a node: letters, digits, ".", "_" and "-", 64 at most`,
      'write it as in cluster.xml; "holdfast cluster state" shows the names',
    )
  }
  const ttlMs = timeOf(input, 'ttl', '15m')
  if (ttlMs < ttlLimitsMs.min || ttlMs > ttlLimitsMs.max) {
    throw usageError(`--ttl ${input.option('ttl') ?? ''} is not allowed`, 'write 10s to 24h')
  }
  const { token } = await context.client.ask<{ readonly token: string }>(
    'POST',
    '/cluster/invite',
    {
      body: { node, ttlMs },
    },
  )
  context.terminal.out(token)
  context.terminal.err(`good once, for ${duration(ttlMs)}; next, on ${node}: holdfast cluster join`)
  return exitCode.done
}

async function join(context: Context, input: Input): Promise<number> {
  const typed = input.argument('TOKEN')
  const isTyped = typed !== undefined && typed !== '-'
  if (isTyped) {
    context.terminal.warning('other users of this machine can see a token on a command line')
  }
  const environment = typed === '-' ? undefined : context.environment['HOLDFAST_TOKEN']
  const token = isTyped ? typed : (environment ?? (await readSecret(context, 'Token: ')))
  const view = await context.client.ask<ClusterView>('POST', '/cluster/join', { body: { token } })
  tellMember(context, view)
  return exitCode.done
}

async function configure(context: Context, input: Input): Promise<number> {
  const xml = await readText(input.argument('FILE') ?? '')
  const view = await context.client.ask<ClusterView>('PUT', '/cluster/config', { body: { xml } })
  const names = view.nodes.map((one) => one.node).join(', ')
  context.terminal.out(`applied: revision ${String(view.revision)} for ${names}`)
  for (const { node, connected } of view.nodes) {
    if (connected) continue
    context.terminal.out(
      `  ${node} is not connected; if it has not joined yet: holdfast cluster invite ${node}`,
    )
  }
  return exitCode.done
}

async function remove({ client, terminal }: Context, input: Input): Promise<number> {
  const node = input.argument('NODE') ?? ''
  const before = await client.get<ClusterView>('/cluster')
  const path = `/cluster/nodes/${encodeURIComponent(node)}`
  const view = await client.ask<ClusterView>('DELETE', path)
  const names = view.nodes.map((one) => one.node).join(', ')
  terminal.out(`${node} is removed: revision ${String(view.revision)} for ${names}`)
  if (before.nodes.some((one) => one.node === node && one.connected)) return exitCode.done
  terminal.warning(
    `${node} was not reached and still takes itself for a member: before it starts again, remove /etc/holdfast and /var/lib/holdfast there`,
  )
  return exitCode.done
}

async function state(context: Context, input: Input): Promise<number> {
  const { terminal, client } = context
  const view = await client.get<ClusterView>('/cluster')
  if (input.flag('json')) {
    terminal.json(view)
    return exitCode.done
  }
  if (input.flag('quiet')) {
    for (const { node } of view.nodes) terminal.out(node)
    return exitCode.done
  }
  if (view.self === undefined) {
    terminal.out('This node belongs to no cluster.  next: holdfast cluster init, or cluster join')
    return exitCode.done
  }
  terminal.out(
    `Cluster ${view.cluster ?? ''}, revision ${String(view.revision)}; this is ${view.self}`,
  )
  terminal.out('')
  writeTable(
    terminal,
    ['NODE', 'CONNECTION', 'VERSION', 'LAN', 'ADDRESS', 'HEARTBEAT'],
    rowsOf(view),
  )
  return exitCode.done
}

function rowsOf(view: ClusterView) {
  return view.nodes.flatMap(({ node, connected, version, lans }) => {
    const isSelf = node === view.self
    const first = [
      { text: node },
      isSelf
        ? { text: 'this node' }
        : ({
            text: connected ? 'connected' : 'not connected',
            colour: connected ? 'green' : 'red',
          } as const),
      { text: version ?? (isSelf ? view.version : '') },
    ]
    const places = lans.map(({ lan, address, up, heardMsAgo }) => [
      { text: lan },
      { text: address },
      isSelf
        ? { text: '' }
        : ({ text: heartbeat(up, heardMsAgo), colour: up ? 'green' : 'red' } as const),
    ])
    const blank = first.map(() => ({ text: '' }))
    if (places.length === 0) return [first]
    return places.map((place, index) => [...(index === 0 ? first : blank), ...place])
  })
}

function heartbeat(up: boolean, heardMsAgo: number | undefined): string {
  if (heardMsAgo === undefined) return 'never heard'
  const ago = heardMsAgo < 1000 ? `${String(Math.round(heardMsAgo))}ms` : duration(heardMsAgo)
  return `${up ? 'up' : 'silent'}, heard ${ago} ago`
}

function tellMember(context: Context, view: ClusterView): void {
  const names = view.nodes.map((one) => one.node).join(', ')
  context.terminal.out(
    `${view.self ?? ''} is a member of cluster ${view.cluster ?? ''} (nodes: ${names})`,
  )
}

async function readText(path: string): Promise<string> {
  try {
    const text = await readFile(path, 'utf8')
    if (Buffer.byteLength(text) <= fileBytesMax) return text
  } catch (error) {
    throw new HoldfastError(cliErrors.file, `${path} can't be read: ${messageOf(error)}`, {
      cause: error,
    })
  }
  throw new HoldfastError(cliErrors.file, `${path} has more than ${String(fileBytesMax)} bytes`, {
    hint: 'a cluster.xml has some hundred bytes: is it the right file?',
  })
}
