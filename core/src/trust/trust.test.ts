/** What a trusted signature is, and everything that only looks like one. */
import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HoldfastError } from '@holdfast/sdk'
import test, { type ExecutionContext } from 'ava'
import { TrustedKeys } from './keyring.js'
import { newKeyPair, signatureOf } from './signature.js'

async function keysOf(t: ExecutionContext): Promise<{ etc: string; keys: TrustedKeys }> {
  const etc = await mkdtemp(join(tmpdir(), 'holdfast-trust-'))
  t.teardown(() => rm(etc, { recursive: true }))
  return { etc, keys: new TrustedKeys({ etc }) }
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  const outcome = await work.catch((thrown: unknown) => thrown)
  return outcome instanceof HoldfastError ? outcome.code : `no refusal: ${String(outcome)}`
}

const content = Buffer.from('the files and their hashes')

test('what a trusted key signed is known by the name of the key, until the key is removed', async (t) => {
  const { keys } = await keysOf(t)
  const { id, publicPem, privatePem } = newKeyPair()
  const signature = signatureOf('plugin', content, privatePem)
  t.is(await keys.verify('plugin', content, signature), undefined)
  await keys.add('acme', publicPem)
  await keys.add('acme', publicPem)
  t.deepEqual(await keys.verify('plugin', content, signature), { name: 'acme', id })
  t.deepEqual(await keys.list(), [{ name: 'acme', id }])
  await keys.remove(id)
  t.is(await keys.verify('plugin', content, signature), undefined)
})

test('another content, another kind, another key or one changed bit is not signed', async (t) => {
  const { keys } = await keysOf(t)
  const acme = newKeyPair()
  await keys.add('acme', acme.publicPem)
  const signature = signatureOf('plugin', content, acme.privatePem)
  t.is(await keys.verify('plugin', Buffer.from('other'), signature), undefined)
  t.is(await keys.verify('module', content, signature), undefined)
  const [word = '', , base64 = ''] = signature.trim().split(' ')
  const other = signatureOf('plugin', content, newKeyPair().privatePem)
  t.is(await keys.verify('plugin', content, other), undefined)
  const claimed = `${word} ${acme.id} ${other.trim().split(' ')[2] ?? ''}`
  t.is(await keys.verify('plugin', content, claimed), undefined)
  const flipped = Buffer.from(base64, 'base64')
  flipped[5] = (flipped[5] ?? 0) ^ 1
  const changed = `${word} ${acme.id} ${flipped.toString('base64')}`
  t.is(await keys.verify('plugin', content, changed), undefined)
})

test('malformed signatures, keys and names are refused with a code', async (t) => {
  const { keys, etc } = await keysOf(t)
  const { publicPem, privatePem } = newKeyPair()
  for (const text of ['', 'x', `${signatureOf('plugin', content, privatePem)}more`]) {
    t.is(await codeOf(keys.verify('plugin', content, text)), 'E_TRUST_SIGNATURE')
  }
  t.is(await codeOf(keys.add('acme', privatePem)), 'E_TRUST_KEY')
  t.is(await codeOf(keys.add('acme', 'nonsense')), 'E_TRUST_KEY')
  const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey
  const pem = rsa.export({ type: 'spki', format: 'pem' }).toString()
  t.is(await codeOf(keys.add('acme', pem)), 'E_TRUST_KEY')
  t.is(await codeOf(keys.add('../acme', publicPem)), 'E_TRUST_NAME')
  await keys.add('acme', publicPem)
  t.is(await codeOf(keys.add('acme', newKeyPair().publicPem)), 'E_TRUST_EXISTS')
  t.is(await codeOf(keys.add('twin', publicPem)), 'E_TRUST_EXISTS')
  t.is(await codeOf(keys.remove('nobody')), 'E_TRUST_UNKNOWN')
  await writeFile(join(etc, 'trust', 'bad.pem'), 'nonsense')
  t.is(await codeOf(keys.list()), 'E_TRUST_KEY')
})
