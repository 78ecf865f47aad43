#!/usr/bin/env node
/** `holdfast-plugin`: begin, check and pack a plugin, and make the key that signs it. */
import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { newKeyPair } from '@holdfast/core'
import { HoldfastError } from '@holdfast/sdk'
import { checkContract } from './contract/index.js'
import { newPlugin } from './new.js'
import { packPlugin } from './pack.js'

const usage = `usage:
  holdfast-plugin new NAME [DIR]              a project for a checker <check><NAME>, in checker-NAME unless told
  holdfast-plugin check DIR                   the contract suite over a built plugin
  holdfast-plugin pack DIR [--key FILE]       ID-VERSION.hfp, signed when there is a key
  holdfast-plugin keygen NAME                 NAME.key (secret, signs) and NAME.pub (give it away)`

async function main(words: readonly string[]): Promise<number> {
  const [command, what, third, fourth] = words
  if (what === undefined) return usageError(command)
  switch (command) {
    case 'new':
      return await begin(what, third ?? `checker-${what}`)
    case 'check':
      return await check(what)
    case 'pack':
      if (third !== undefined && (third !== '--key' || fourth === undefined)) {
        return usageError(command)
      }
      return await pack(what, fourth)
    case 'keygen':
      return await makeKey(what)
    default:
      return usageError(command)
  }
}

async function begin(name: string, directory: string): Promise<number> {
  const files = await newPlugin(resolve(directory), name)
  console.log(files.map((file) => `${directory}/${file}`).join('\n'))
  console.log(
    `next: cd ${directory} && npm test; to pack and sign: npx holdfast-plugin pack . --key KEY`,
  )
  return 0
}

async function check(directory: string): Promise<number> {
  const results = await checkContract(resolve(directory))
  for (const { sentence, broken } of results) {
    console.log(broken === undefined ? `  kept    ${sentence}` : `  BROKEN  ${sentence}: ${broken}`)
  }
  return results.every(({ broken }) => broken === undefined) ? 0 : 1
}

async function pack(directory: string, keyFile: string | undefined): Promise<number> {
  console.log(await packPlugin(resolve(directory), keyFile === undefined ? {} : { keyFile }))
  if (keyFile === undefined) {
    console.error('not signed: nodes refuse it, or run it as a process; --key FILE signs')
  }
  return 0
}

async function makeKey(name: string): Promise<number> {
  const { id, publicPem, privatePem } = newKeyPair()
  await writeNew(`${name}.key`, privatePem, 0o600)
  await writeNew(`${name}.pub`, publicPem, 0o644)
  console.log(
    `${name}.key signs, keep it secret; ${name}.pub is for those who trust you. The key is ${id}.`,
  )
  return 0
}

/** A key that was overwritten can't be had back. */
async function writeNew(file: string, text: string, mode: number): Promise<void> {
  try {
    await writeFile(file, text, { mode, flag: 'wx' })
  } catch (thrown) {
    if (!(thrown instanceof Error) || !('code' in thrown) || thrown.code !== 'EEXIST') throw thrown
    throw new HoldfastError('E_PLUGIN_KEY', `${file} is there already`, {
      hint: 'choose another name; nothing was changed',
      cause: thrown,
    })
  }
}

function usageError(command: string | undefined): number {
  const isHelp = command === undefined || /^(-h|(--)?help)$/.test(command)
  const isKnown = command !== undefined && ['new', 'check', 'pack', 'keygen'].includes(command)
  if (isHelp) {
    console.log(usage)
    return command === undefined ? 2 : 0
  }
  console.error(
    isKnown ? `${command}: words are missing or too many` : `unknown command "${command}"`,
  )
  console.error(usage)
  return 2
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (thrown) {
  if (!(thrown instanceof HoldfastError) && !(thrown instanceof Error && 'code' in thrown))
    throw thrown
  console.error(`holdfast-plugin: ${thrown.message}`)
  if (thrown instanceof HoldfastError && thrown.hint !== undefined)
    console.error(`  next: ${thrown.hint}`)
  process.exitCode = 1
}
