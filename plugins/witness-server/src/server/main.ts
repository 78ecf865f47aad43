#!/usr/bin/env node
/** `holdfast-witness`: one small process on a third machine that grants each generation of a module to one node only. */
import { createHash } from 'node:crypto'
import { chmod } from 'node:fs/promises'
import { createServer } from 'node:net'
import { resolve } from 'node:path'
import { HoldfastError } from '@holdfast/sdk'
import { defaultPort, parseAddress } from '../settings.js'
import { formatToken } from '../token.js'
import { codeOf, makeDirectory } from './files.js'
import { createListener } from './listener.js'
import { WitnessState } from './state.js'

const usage = `usage: holdfast-witness serve [--listen ADDRESS:PORT] [--state DIRECTORY]
       holdfast-witness add CLUSTER      prints, once, the token for the cluster's nodes
       holdfast-witness list             clusters, modules and their newest grants
       holdfast-witness forget CLUSTER MODULE   the module begins with a new history
       holdfast-witness remove CLUSTER   the cluster is gone
Each takes --state DIRECTORY (default /var/lib/holdfast-witness).`

interface Invocation {
  readonly words: readonly string[]
  readonly directory: string
  /** Undefined: all addresses of the machine. */
  readonly listen: string | undefined
}

async function main(): Promise<void> {
  const { words, directory, listen } = invocationOf(process.argv.slice(2))
  const [command = '', cluster = '', module = ''] = words
  await makeDirectory(directory)
  await chmod(directory, 0o700)
  const state = new WitnessState(directory)
  switch (`${command} ${String(words.length - 1)}`) {
    case 'serve 0':
      await serve(state, directory, listen)
      return
    case 'add 1':
      say(formatToken(await state.add(cluster)))
      return
    case 'list 0':
      await list(state)
      return
    case 'forget 2':
      await state.forget(cluster, module)
      return
    case 'remove 1':
      await state.remove(cluster)
      return
    default:
      throw wrongUsage(command === '' ? 'a command is missing' : `"${words.join(' ')}" is not one`)
  }
}

async function serve(
  state: WitnessState,
  directory: string,
  listen: string | undefined,
): Promise<void> {
  const address = listen === undefined ? { port: defaultPort } : parseAddress(listen)
  if (address === undefined) throw wrongUsage(`--listen "${String(listen)}" is not an address`)
  await takeLock(directory)
  // Who reads the log may go away (a restarted journal, a closed terminal); the witness stays.
  process.stdout.on('error', () => undefined)
  const listener = createListener(state, (event, fields) => {
    say(JSON.stringify({ at: new Date().toISOString(), event, ...fields }))
  })
  await new Promise<void>((ready, failed) => {
    listener.once('error', failed)
    listener.listen(address, ready)
  })
  const bound = listener.address()
  const port = typeof bound === 'object' ? bound?.port : undefined
  say(JSON.stringify({ at: new Date().toISOString(), event: 'listening', ...address, port }))
  // What was granted is on disk before it is said: there is nothing to finish.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(0))
}

/** Two servers on the same files could both grant. The kernel releases the lock when the process ends, however it ends. */
async function takeLock(directory: string): Promise<void> {
  const name = createHash('sha256').update(directory).digest('hex').slice(0, 32)
  const lock = createServer((socket) => socket.destroy())
  await new Promise<void>((taken, failed) => {
    lock.once('error', (error) => {
      const runs = `a witness serves from ${directory} already`
      failed(codeOf(error) === 'EADDRINUSE' ? new HoldfastError('E_WITNESS_RUNNING', runs) : error)
    })
    lock.listen(`\0holdfast-witness-${name}`, taken)
  })
}

async function list(state: WitnessState): Promise<void> {
  for (const cluster of await state.clusters()) {
    const modules = await state.modules(cluster)
    say(modules.size === 0 ? `${cluster}: nothing was granted yet` : cluster)
    for (const [module, grants] of modules) {
      const newest = grants.at(-1)
      if (newest !== undefined) say(`  ${module} ${String(newest.generation)}:${newest.node}`)
    }
  }
}

function invocationOf(args: readonly string[]): Invocation {
  const words: string[] = []
  const options = new Map<string, string | undefined>([
    ['--state', '/var/lib/holdfast-witness'],
    ['--listen', undefined],
  ])
  for (let index = 0; index < args.length; index++) {
    const word = args[index] ?? ''
    if (!word.startsWith('--')) words.push(word)
    else {
      const value = args[++index]
      if (!options.has(word)) throw wrongUsage(`${word} is no option`)
      if (value === undefined) throw wrongUsage(`${word} needs a value`)
      options.set(word, value)
    }
  }
  const directory = resolve(options.get('--state') ?? '')
  return { words, directory, listen: options.get('--listen') }
}

function wrongUsage(what: string): HoldfastError {
  return new HoldfastError('E_WITNESS_USAGE', what, { hint: usage })
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

try {
  await main()
} catch (thrown) {
  const code = codeOf(thrown)
  const isKnown = thrown instanceof HoldfastError || ['EADDRINUSE', 'EACCES'].includes(code ?? '')
  if (!isKnown || !(thrown instanceof Error)) throw thrown
  const hint =
    thrown instanceof HoldfastError && thrown.hint !== undefined ? `\n${thrown.hint}` : ''
  process.stderr.write(`holdfast-witness: ${thrown.message} (${code ?? ''})${hint}\n`)
  // The lock would keep a process that serves nobody.
  process.exit(code === 'E_WITNESS_USAGE' ? 2 : 1)
}
