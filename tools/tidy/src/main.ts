#!/usr/bin/env node
/** `node tools/tidy/dist/main.js`: prints what breaks a house rule; `--shrink` takes what got better off the list. */
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { findProblems } from './check.js'
import { readRatchet, readRepository } from './repository.js'
import { shrink } from './rules/sizes.js'

const home = join(dirname(fileURLToPath(import.meta.url)), '..')
const ratchetPath = join(home, 'ratchet.json')
const ratchet = readRatchet(ratchetPath)
const { problems, over } = findProblems(readRepository(join(home, '../..')), ratchet)

for (const { path, line, rule, message } of problems) {
  process.stdout.write(`${path}:${String(line)}: ${message} (${rule})\n`)
}
if (process.argv.includes('--shrink')) {
  writeFileSync(ratchetPath, `${JSON.stringify(shrink(ratchet, over), undefined, 2)}\n`)
}
process.exitCode = problems.length === 0 ? 0 : 1
