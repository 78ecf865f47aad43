#!/usr/bin/env node
/** `npm run registry`: packs all modules of modules-registry/ into modules-registry/dist, with their index. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { HoldfastError } from '@holdfast/sdk'
import { buildRegistry } from './registry.js'

const sources = fileURLToPath(new URL('../../../modules-registry/', import.meta.url))
const yearMs = 365 * 24 * 3_600_000

async function main(): Promise<number> {
  const keyFile = process.env['HOLDFAST_SIGNING_KEY']
  try {
    const { modules } = await buildRegistry(sources, `${sources}dist`, {
      name: 'holdfast',
      nowMs: Date.now(),
      // It is delivered with the program and as old as that.
      validMs: 20 * yearMs,
      privatePem: keyFile === undefined ? undefined : await readFile(keyFile, 'utf8'),
    })
    for (const { id, versions } of modules) {
      const [version] = versions
      console.log(`${id} ${version?.version ?? ''}  ${version?.bytes ?? 0} bytes`)
    }
    return 0
  } catch (thrown) {
    if (!(thrown instanceof HoldfastError)) throw thrown
    console.error(`registry: ${thrown.message}\n  ${thrown.hint ?? ''}`)
    return 1
  }
}

process.exitCode = await main()
