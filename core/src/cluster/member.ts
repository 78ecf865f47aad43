/**
 * What makes this node a member: one state file. Joining, initialising and configuring are done when it is written,
 * and not before. cluster.xml beside it is a copy for people.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { HoldfastError } from '@holdfast/sdk'
import { readIfExists, removeFile, writeFileAtomic } from '../files/atomic.js'
import type { Directories } from '../files/directories.js'
import { onDisk } from './disk.js'
import { readVersioned, type StateFormat, writeVersioned } from '../files/versioned.js'

export interface Membership {
  readonly cluster: string
  readonly self: string
  readonly revision: number
  readonly xml: string
  /** Nodes that have joined: those that must agree to a configuration. Sorted, with this one. */
  readonly joined: readonly string[]
}

const format: StateFormat = { format: 'cluster-member', version: 1 }

export async function readMembership(directories: Directories): Promise<Membership | undefined> {
  const path = pathOf(directories)
  const body = await readVersioned(path, format)
  if (body === undefined) return undefined
  if (isMembership(body)) return body
  throw new HoldfastError('E_STATE_DAMAGED', `${path} lacks a field`, {
    hint: 'restore the file from a backup, or let the node join again with a new invitation',
  })
}

export async function writeMembership(
  directories: Directories,
  membership: Membership,
): Promise<void> {
  await onDisk('the membership', async () => {
    await mkdir(join(directories.lib, 'cluster'), { recursive: true, mode: 0o700 })
    await writeVersioned(pathOf(directories), format, membership)
  })
}

export async function removeMembership(directories: Directories): Promise<void> {
  await onDisk('the membership', () => removeFile(pathOf(directories)))
}

/** The copy for people. False: it differs from `xml`, and it was left as the operator has it. */
export async function isCopyCurrent(directories: Directories, xml: string): Promise<boolean> {
  const copy = await readIfExists(join(directories.etc, 'cluster.xml'))
  if (copy === undefined) await writeCopy(directories, xml)
  return copy === undefined || copy === xml
}

export async function writeCopy(directories: Directories, xml: string): Promise<void> {
  await onDisk('cluster.xml', async () => {
    await mkdir(directories.etc, { recursive: true })
    await writeFileAtomic(join(directories.etc, 'cluster.xml'), xml, 0o644)
  })
}

function pathOf(directories: Directories): string {
  return join(directories.lib, 'cluster', 'member.json')
}

function isMembership(body: unknown): body is Membership {
  if (typeof body !== 'object' || body === null) return false
  if (!('cluster' in body) || typeof body.cluster !== 'string') return false
  if (!('self' in body) || typeof body.self !== 'string') return false
  if (!('revision' in body) || !Number.isSafeInteger(body.revision)) return false
  if (!('xml' in body) || typeof body.xml !== 'string' || !('joined' in body)) return false
  return Array.isArray(body.joined) && body.joined.every((node) => typeof node === 'string')
}
