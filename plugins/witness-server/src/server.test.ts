/** The real process, over real connections. */
import { once } from 'node:events'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import test from 'ava'
import { check } from './index.js'
import { lineBytesMax, tlsOptions } from './protocol.js'
import { freePort } from '@holdfast/sdk/testing'
import { asked, RunningWitness, silent } from './server.fixture.js'
import { formatToken, newEnrolment, parseToken } from './token.js'
import { ServerWitness } from './witness.js'

test('of two nodes that claim at the same moment one is granted, and it stays so after kill -9', async (t) => {
  const witness = await RunningWitness.start(t)
  const key = await witness.keyFor('production')
  const nodes = ['n1', 'n2'].map((node) => asked(node, witness.server(key)))
  const claimAll = (generation: number): Promise<string[]> =>
    Promise.all(nodes.map((claim) => claim(generation)))
  const first: string[][] = []
  for (const generation of [1, 2, 3, 4]) first.push(await claimAll(generation))
  for (const claims of first) t.deepEqual([...claims].sort(), ['granted', 'refused'])
  await witness.kill()
  t.deepEqual(await claimAll(4), ['unknown', 'unknown'])
  await witness.serve()
  for (const generation of [1, 2, 3, 4]) {
    t.deepEqual(await claimAll(generation), first[generation - 1] ?? [])
  }
})

test('a grant that was answered is on the disk of a witness that is killed at any moment', async (t) => {
  const witness = await RunningWitness.start(t)
  const key = await witness.keyFor('production')
  const [n1, n2] = [asked('n1', witness.server(key)), asked('n2', witness.server(key))]
  let granted = 0
  const claiming = (async () => {
    for (let generation = 1; (await n1(generation)) === 'granted'; generation++) {
      granted = generation
      if (generation === 5) void witness.kill()
    }
  })()
  await claiming
  t.true(granted >= 5)
  await witness.serve()
  t.is(await n2(granted), 'refused')
  t.is(await n1(granted), 'granted')
})

test('clusters and modules have histories of their own, and forgetting one begins it anew', async (t) => {
  const witness = await RunningWitness.start(t)
  const keys = [await witness.keyFor('one'), await witness.keyFor('two')] as const
  const [one, two] = [asked('n1', witness.server(keys[0])), asked('n2', witness.server(keys[1]))]
  const other = asked('n2', witness.server(keys[0]))
  t.is(await one(5), 'granted')
  t.is(await two(5), 'granted')
  t.is(await other(5), 'refused')
  t.is(await other(5, 'mail'), 'granted')
  t.is(await witness.order('list'), 'one\n  ledger 5:n1\n  mail 5:n2\ntwo\n  ledger 5:n2')
  await witness.order('forget', 'one', 'ledger')
  t.is(await other(1), 'granted')
  await witness.order('remove', 'two')
  t.is(await two(6), 'unknown')
  await t.throwsAsync(witness.order('add', 'one'), { message: /E_WITNESS_KNOWN/ })
  await t.throwsAsync(witness.order('add', '../x'), { message: /E_WITNESS_NAME/ })
})

test('who does not have the secret of the cluster is granted nothing, whichever side it is', async (t) => {
  const witness = await RunningWitness.start(t)
  const key = await witness.keyFor('production')
  const { secret } = parseToken(await readFile(key, 'utf8'))
  const stranger = join(witness.directory, 'stranger.key')
  await writeFile(stranger, formatToken(newEnrolment('production')), { mode: 0o600 })
  t.is(await asked('n1', witness.server(stranger))(1), 'unknown')
  await writeFile(stranger, formatToken({ cluster: 'other', secret }))
  t.is(await asked('n1', witness.server(stranger))(1), 'unknown')
  // A false witness: the same cluster's name, another secret.
  const impostor = await RunningWitness.start(t)
  await impostor.order('add', 'production')
  t.is(await asked('n1', impostor.server(key))(1), 'unknown')
  t.is(await impostor.order('list'), 'production: nothing was granted yet')
  t.is(await asked('n1', witness.server(key))(1), 'granted')
})

test('what strangers and damaged members send ends their connection and nothing else', async (t) => {
  const witness = await RunningWitness.start(t)
  const key = await witness.keyFor('production')
  const { secret } = parseToken(await readFile(key, 'utf8'))
  for (const bytes of ['GET / HTTP/1.0\r\n\r\n', '\u0016\u0003\u0001\u0002\u0000', '\n']) {
    const socket = connect(witness.port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.resume()
    socket.write(bytes)
    await once(socket, 'close')
  }
  for (const line of ['nonsense\n', '{}\n', 'x'.repeat(lineBytesMax + 1), 'no end']) {
    const socket = connectTls({
      ...{ ...tlsOptions, host: '127.0.0.1', port: witness.port },
      pskCallback: () => ({ psk: secret, identity: 'production' }),
      checkServerIdentity: () => undefined,
    })
    socket.on('error', () => undefined)
    let answer = ''
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()))
    socket.write(line)
    await once(socket, 'close')
    t.is(answer, '')
  }
  t.is(await asked('n1', witness.server(key))(1), 'granted')
})

test('of three servers the majority decides, and one that is out of reach does not delay it', async (t) => {
  const servers: { addr: string; keyfile: string }[] = []
  const witnesses: RunningWitness[] = []
  for (let number = 0; number < 2; number++) {
    const witness = await RunningWitness.start(t)
    witnesses.push(witness)
    servers.push(witness.server(await witness.keyFor('production')))
  }
  const nobody = {
    addr: `127.0.0.1:${String(await freePort())}`,
    keyfile: servers[0]?.keyfile ?? '',
  }
  const [n1, n2] = [asked('n1', ...servers, nobody), asked('n2', ...servers, nobody)]
  t.is(await n1(1), 'granted')
  t.is(await n2(1), 'refused')
  await witnesses[0]?.kill()
  t.is(await n1(2), 'unknown')
})

test('a claim whose time is up is unknown at once', async (t) => {
  const witness = await RunningWitness.start(t)
  const server = witness.server(await witness.keyFor('production'))
  const asker = new ServerWitness([server], { log: silent, node: 'n1' })
  t.is(await asker.claim('ledger', 1, AbortSignal.abort()), 'unknown')
})

test('a damaged record of grants grants nothing', async (t) => {
  const witness = await RunningWitness.start(t)
  const key = await witness.keyFor('production')
  const claim = asked('n1', witness.server(key))
  t.is(await claim(1), 'granted')
  const record = join(witness.state, 'clusters', 'production', 'grants', 'ledger')
  await writeFile(record, (await readFile(record, 'utf8')).slice(0, 12))
  t.is(await claim(1), 'unknown')
  t.is(await claim(2), 'unknown')
  t.is(await claim(1, 'mail'), 'granted')
})

test('a witness that does not answer, or does not know the secret, is a warning of the configuration', async (t) => {
  const witness = await RunningWitness.start(t)
  const key = await witness.keyFor('production')
  const warned = async (): Promise<string> => {
    const { errors, warnings } = await check({ witness: { server: [witness.server(key)] } })
    t.deepEqual(errors, [])
    return warnings.map(({ path, message }) => `${path} ${message}`).join('\n')
  }
  t.is(await warned(), '')
  const token = await readFile(key, 'utf8')
  await writeFile(key, formatToken(newEnrolment('production')))
  t.regex(await warned(), /^\/witness\/server\/0\/addr .*does not know the secret/)
  await writeFile(key, token)
  await witness.kill()
  t.regex(await warned(), /ECONNREFUSED/)
})

test('two witnesses can not serve from the same state', async (t) => {
  const witness = await RunningWitness.start(t)
  const second = witness.order('serve', '--listen', `127.0.0.1:${String(await freePort())}`)
  await t.throwsAsync(second, { message: /E_WITNESS_RUNNING/ })
})

test('a key file that is missing, open to others or damaged refuses the configuration, with its place', async (t) => {
  const witness = await RunningWitness.start(t)
  const key = await witness.keyFor('production')
  const found = async (keyfile: string): Promise<string> => {
    const { errors } = await check({ witness: { server: [witness.server(keyfile)] } })
    return errors.map(({ path, message }) => `${path} ${message}`).join('\n')
  }
  t.is(await found(key), '')
  t.regex(
    await found(`${key}.none`),
    /^\/witness\/server\/0\/keyfile .*ENOENT.*holdfast-witness add/,
  )
  await chmod(key, 0o640)
  t.regex(await found(key), /can be read or changed by others: .*chmod 600/)
  await chmod(key, 0o600)
  await writeFile(key, 'HFW1.production.short')
  t.regex(await found(key), /not a whole token/)
})
