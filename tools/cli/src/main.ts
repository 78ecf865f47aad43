#!/usr/bin/env node
/** `holdfast`: the command line of a node, a client of its API. */
import { readFileSync } from 'node:fs'
import { HoldfastError } from '@holdfast/sdk'
import { Client, socketPathFrom } from './api/client.js'
import { commands } from './commands/index.js'
import { offeredFor } from './commands/offered.js'
import { exitCodeOf } from './exit.js'
import { Terminal } from './output/terminal.js'
import { runProgram } from './program.js'

async function main(): Promise<number> {
  const environment = process.env
  const terminal = new Terminal(process.stdout, process.stderr, environment)
  const client = new Client(socketPathFrom(environment))
  const context = { terminal, client, environment, stdin: process.stdin, commands }
  try {
    const [first, ...rest] = process.argv.slice(2)
    const asked = first === undefined ? [] : [first, ...rest]
    // `holdfast help log` is what people type who come from other tools.
    const words = first === 'help' ? [...rest, '--help'] : asked
    const offered = await offeredFor(context, words)
    const all = { ...context, commands: [...commands, ...offered] }
    return await runProgram(all, ownVersion(), words)
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error
    terminal.failure(error)
    return exitCodeOf(error)
  }
}

function ownVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  const { version } = JSON.parse(text) as { readonly version: string } // Our own package.json.
  return version
}

// `holdfast log | head`: the reader has what it wants, and that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})

// Not process.exit: what was written to a pipe must still get out.
process.exitCode = await main()
