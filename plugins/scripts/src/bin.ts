/** The module's `bin/`: which file is which script, and whether it can run. */
import { constants } from 'node:fs'
import { access, open, readdir, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { errnoOf } from './errno.js'

/** `start_prim` or `start_prim.sh`. Undefined: the module has no such script. */
export async function findScript(directory: string, script: string): Promise<string | undefined> {
  for (const name of [script, `${script}.sh`]) {
    if (await isFile(`${directory}/${name}`)) return `${directory}/${name}`
  }
  return undefined
}

export async function filesIn(directory: string): Promise<readonly string[]> {
  try {
    return (await readdir(directory)).sort()
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  }
}

/** Why `path` can't be run, or undefined. */
export async function problemOf(path: string, searchPath: string): Promise<string | undefined> {
  if (!(await isFile(path))) return `${basename(path)} is not a file`
  if (!(await isExecutable(path)))
    return `${basename(path)} is not executable: chmod +x it in the module's sources`
  const line = await firstLine(path)
  if (line === undefined) return undefined
  const interpreter = interpreterOf(line)
  if (interpreter === undefined)
    return `${basename(path)}: its first line "${printable(line)}" names no interpreter`
  if (interpreter.command.endsWith('\r')) {
    return `${basename(path)} has Windows line ends; convert it in the module's sources: sed -i 's/\\r$//' ${basename(path)}`
  }
  if (!(await isExecutable(interpreter.command))) {
    return `${basename(path)}: its interpreter ${interpreter.command} does not exist on this node`
  }
  const { looksUp } = interpreter
  if (looksUp !== undefined && !(await isOnPath(looksUp, searchPath))) {
    return `${basename(path)}: its interpreter ${looksUp} is not on the path (${searchPath})`
  }
  return undefined
}

/** `#!/bin/sh -e` → /bin/sh; `#!/usr/bin/env -S node` → /usr/bin/env, which looks up node. */
export function interpreterOf(
  line: string,
): { readonly command: string; readonly looksUp: string | undefined } | undefined {
  const [command, ...rest] = line
    .slice(2)
    .trimStart()
    .split(/[ \t]+/)
  if (command === undefined || !command.startsWith('/')) return undefined
  const argument = rest.find((one) => !one.startsWith('-') && !one.includes('='))
  const looksUp = /\/env$/.test(command) ? argument : undefined
  return { command, looksUp }
}

const firstLineBytesMax = 256

/** Undefined: it is a program, or a script for /bin/sh without a first line of its own. */
async function firstLine(path: string): Promise<string | undefined> {
  const file = await open(path, 'r')
  try {
    const { buffer, bytesRead } = await file.read(
      Buffer.alloc(firstLineBytesMax),
      0,
      firstLineBytesMax,
      0,
    )
    const text = buffer.subarray(0, bytesRead).toString('latin1')
    return text.startsWith('#!') ? text.split('\n', 1)[0] : undefined
  } finally {
    await file.close()
  }
}

async function isOnPath(command: string, searchPath: string): Promise<boolean> {
  for (const directory of searchPath.split(':')) {
    if (await isExecutable(`${directory}/${command.trimEnd()}`)) return true
  }
  return false
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile()
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errnoOf(error))) return false
    throw error
  }
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK)
    return true
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP'].includes(errnoOf(error))) return false
    throw error
  }
}

function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 80)
}
