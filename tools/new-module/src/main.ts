#!/usr/bin/env node
/** `holdfast-module NAME [DIR]`: begins a module. */
import { resolve } from 'node:path'
import { HoldfastError } from '@holdfast/sdk'
import { newModule } from './new.js'

const usage = `usage: holdfast-module NAME [DIR]
  makes the sources of a module NAME in DIR (NAME unless told), ready to be installed and packed`

async function main([name, directory = name]: readonly string[]): Promise<number> {
  if (name === undefined || directory === undefined || name.startsWith('-')) {
    console.error(usage)
    return 2
  }
  try {
    const files = await newModule(resolve(directory), name)
    console.log(files.map((file) => `${directory}/${file}`).join('\n'))
    console.log(`next: holdfast module package ${directory}`)
    return 0
  } catch (thrown) {
    if (!(thrown instanceof HoldfastError)) throw thrown
    console.error(`holdfast-module: ${thrown.message}\n  next: ${thrown.hint ?? ''}`)
    return 1
  }
}

process.exitCode = await main(process.argv.slice(2))
