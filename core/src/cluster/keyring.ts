/** The key files of a node, in `/etc/holdfast/keys`, readable by root only. */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { HoldfastError } from '@holdfast/sdk'
import { readIfExists, syncDirectory, writeFileAtomic } from '../files/atomic.js'
import { onDisk } from './disk.js'
import type { Credentials } from '../network/index.js'

/** All secrets of a member. Every member holds the authority's key, so that every member can invite. */
export interface Keyring extends Credentials {
  readonly authorityKeyPem: string
}

const files = {
  authorityPem: 'ca.crt',
  authorityKeyPem: 'ca.key',
  certificatePem: 'node.crt',
  privateKeyPem: 'node.key',
  heartbeat: 'heartbeat.key',
} as const
const names = [
  'authorityPem',
  'authorityKeyPem',
  'certificatePem',
  'privateKeyPem',
  'heartbeat',
] as const

/** Safe to be cut after any step: the keys count only when the member file says so. */
export async function writeKeyring(etc: string, keyring: Keyring): Promise<void> {
  const directory = join(etc, 'keys')
  const { heartbeatKey, ...pems } = keyring
  const contents = { ...pems, heartbeat: `${heartbeatKey.toString('hex')}\n` }
  await onDisk('the keys', async () => {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    for (const name of names) {
      await writeFileAtomic(join(directory, files[name]), contents[name], 0o600)
    }
    await syncDirectory(etc)
  })
}

/** Removes all secrets; no error when there are none. */
export async function removeKeyring(etc: string): Promise<void> {
  await onDisk('the keys', () => rm(join(etc, 'keys'), { recursive: true, force: true }))
}

/** Throws `E_CLUSTER_KEYS` when one is missing or damaged. */
export async function readKeyring(etc: string): Promise<Keyring> {
  const read = async (name: keyof typeof files): Promise<string> => {
    const path = join(etc, 'keys', files[name])
    const text = await readIfExists(path)
    if (text === undefined || text === '') throw missing(path)
    return text
  }
  const heartbeatKey = Buffer.from((await read('heartbeat')).trim(), 'hex')
  if (heartbeatKey.length !== 32) throw missing(join(etc, 'keys', files.heartbeat))
  return {
    authorityPem: await read('authorityPem'),
    authorityKeyPem: await read('authorityKeyPem'),
    certificatePem: await read('certificatePem'),
    privateKeyPem: await read('privateKeyPem'),
    heartbeatKey,
  }
}

function missing(path: string): HoldfastError {
  return new HoldfastError('E_CLUSTER_KEYS', `${path} is missing or damaged`, {
    hint: 'restore the directory from a backup of this node, or let the node join again with a new invitation',
  })
}
