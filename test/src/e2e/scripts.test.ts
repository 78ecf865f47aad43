/** Scripts that fail or hang, disks that are full: the operator gets a state with a cause, never silence. */
import test from 'ava'
import { ledger, monotonicMs } from '@holdfast/lab'
import { type Pair, withPair } from './given.js'

async function causeOn(node: Pair['n1']): Promise<string> {
  return (await node.module(ledger.name))?.state?.cause ?? ''
}

test('a start script that fails stops the module after maxloop, and the state names it', async (t) => {
  const scripts = { start_prim: '#!/bin/sh\necho "no licence" >&2\nexit 3\n' }
  await withPair(t, { scripts }, async (pair) => {
    await pair.order(pair.n1, 'prim')
    await pair.is(pair.n1, 'STOP NotReady')
    t.regex(await causeOn(pair.n1), /start_prim/)
    const mounts = await pair.n1.host.mustRun(['cat', '/proc/self/mounts'])
    t.false(mounts.includes(ledger.directory), 'the replicated directory is still mounted')
    t.false((await pair.n1.host.mustRun(['ip', 'addr'])).includes('10.77.0.200'))
  })
})

test('a start script that hangs is ended by its time-out, with all that it started', async (t) => {
  const scripts = { start_prim: '#!/bin/sh\nsleep 601 &\nsleep 602\n' }
  const edit = (xml: string): string =>
    xml
      .replace('mode="mirror"', 'mode="mirror" maxloop="0"')
      .replace('<user ', '<user starttimeout="2s" ')
  await withPair(t, { scripts, edit }, async (pair) => {
    await pair.order(pair.n1, 'prim')
    await pair.is(pair.n1, 'STOP NotReady')
    t.regex(await causeOn(pair.n1), /start_prim/)
    t.notRegex(await pair.n1.host.mustRun(['ps', '-e', '-o', 'args=']), /sleep 60[12]/)
  })
})

test('a stop script that hangs is followed by its forced run, and the other node takes over then', async (t) => {
  const edit = (xml: string): string => xml.replace('nicestoptimeout="30s"', 'nicestoptimeout="2s"')
  await withPair(t, { timeout: '5s', edit }, async (pair) => {
    const stop = '/var/lib/holdfast/modules/ledger/applied/package/bin/stop_prim'
    await pair.serves()
    const hanging = `sed -i '2i [ "$1" = force ] || sleep 603' ${stop}`
    await pair.n1.host.mustRun(['sh', '-c', hanging])
    const orderMs = monotonicMs()
    await pair.order(pair.n1, 'swap')
    const swapMs = await pair.answeredBy(pair.n2, orderMs)
    t.true(swapMs >= 2_000, `${swapMs} ms`)
    await pair.is(pair.n1, 'SECOND Ready')
    await pair.is(pair.n2, 'PRIM Ready')
    await pair.promisesHold(t)
  })
})

test('a secondary whose disk is full is given up, and the application goes on', async (t) => {
  const directory = '/srv/small/ledger'
  const edit = (xml: string): string =>
    xml.replace(
      `name="DIRECTORY" value="${ledger.directory}"`,
      `name="DIRECTORY" value="${directory}"`,
    )
  const prepare =
    'mkdir -p /srv/small; [ $(hostname) = n1 ] || mount -t tmpfs -o size=8m tmpfs /srv/small; ' +
    `mkdir -p ${directory}`
  await withPair(t, { timeout: '1000ms', edit, prepare }, async (pair) => {
    await pair.serves()
    const fillMs = monotonicMs()
    const fill = `head -c 16000000 /dev/urandom >${directory}/large`
    await pair.n1.host.mustRun(['sh', '-c', fill])
    await pair.is(pair.n1, 'ALONE Ready')
    await pair.clientsGoOn()
    t.true((await pair.longestSilenceMs(fillMs)) < 15_000)
    t.not(await pair.n2.state(ledger.name), 'SECOND Ready')
    await pair.n1.host.mustRun(['rm', `${directory}/large`])
    await pair.is(pair.n2, 'SECOND Ready')
    await pair.is(pair.n1, 'PRIM Ready')
    await pair.clientsGoOn()
  })
})

test('a primary whose disk is full tells its application so, and the module goes on', async (t) => {
  const directory = '/srv/small/ledger'
  const edit = (xml: string): string =>
    xml.replace(
      `name="DIRECTORY" value="${ledger.directory}"`,
      `name="DIRECTORY" value="${directory}"`,
    )
  const prepare =
    'mkdir -p /srv/small; [ $(hostname) = n2 ] || mount -t tmpfs -o size=8m tmpfs /srv/small; ' +
    `mkdir -p ${directory}`
  await withPair(t, { timeout: '5s', edit, prepare }, async (pair) => {
    await pair.order(pair.n1, 'prim')
    await pair.order(pair.n2, 'start')
    await pair.is(pair.n2, 'SECOND Ready')
    await pair.is(pair.n1, 'PRIM Ready')
    const write = (bytes: number): readonly string[] => [
      'sh',
      '-c',
      `head -c ${bytes} /dev/urandom >${directory}/large`,
    ]
    const full = await pair.n1.host.run(write(16_000_000))
    t.not(full.code, 0)
    t.regex(full.stderr, /No space left on device/)
    await pair.n1.host.mustRun(['rm', `${directory}/large`])
    await pair.n1.host.mustRun(write(1_000_000))
    // A failover or a lost copy would have changed one of them.
    await pair.is(pair.n1, 'PRIM Ready')
    await pair.is(pair.n2, 'SECOND Ready')
    t.is((await pair.runners()).length, 1, 'the application was restarted')
    const sum = ['sha256sum', `${directory}/large`]
    await pair.n1.host.mustRun(['sync'])
    t.is(await pair.n2.host.mustRun(sum), await pair.n1.host.mustRun(sum))
  })
})
