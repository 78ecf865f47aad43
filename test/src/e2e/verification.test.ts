/** What the operator sees of verification and of scheduled synchronisation, on real daemons under load. */
import test from 'ava'
import { ledger, until } from '@holdfast/lab'
import { patienceMs, withPair } from './given.js'

const { name, directory } = ledger
const archive = `${directory}/archive`

/** The secondary shows its directory read-only: what breaks it works beneath that. Keeps the file's times. */
const flip = `umount ${directory}; touch -r ${archive} /run/times;
  printf x | dd of=${archive} bs=1 seek=300000 conv=notrunc status=none; touch -r /run/times ${archive}`

test('a byte that was changed beneath the secondary is found by file and zone, repaired, and kept in the state', async (t) => {
  await withPair(t, {}, async (pair) => {
    await pair.serves()
    await pair.n1.host.mustRun(['sh', '-c', `head -c 1000000 /dev/zero > ${archive}`])
    const verify = ['rfs', 'verify', '-m', name]
    t.regex(await pair.n1.mustRun(verify), /both nodes have the same/)
    const wrongNode = await pair.n2.run(verify)
    t.not(wrongNode.code, 0)
    t.regex(wrongNode.stderr, /verify on the node that is PRIM/)
    await pair.n2.host.mustRun(['sh', '-c', flip])
    const found = await pair.n1.run(verify)
    t.is(found.code, 1)
    t.regex(found.stdout, /archive: content of zone 1 \(bytes 262144 to 524287\)$/m)
    t.regex(found.stdout, /differ in 1 places/)
    const repaired = await pair.n1.mustRun([...verify, '--repair', '--path', archive])
    t.regex(repaired, /1 differences were repaired/)
    t.regex(await pair.n1.mustRun(verify), /both nodes have the same/)
    t.regex(
      await pair.n1.mustRun(['rfs', 'state', '-m', name]),
      /link live, version .*\n.*both nodes have/,
    )
    await pair.clientsGoOn()
    await pair.promisesHold(t)
  })
})

test('with syncat the secondary waits with the data of the last time, follows when told, and never takes over by itself', async (t) => {
  // A night that does not come during the test: the operator says when.
  const edit = (xml: string) =>
    xml
      .replace('<rfs ', '<rfs syncat="0 3 29 2 *" ')
      .replace('</service>', '<failover handle_time="500ms"/></service>')
  await withPair(t, { edit }, async (pair) => {
    await pair.order(pair.n1, 'prim')
    await pair.is(pair.n1, 'ALONE Ready')
    await ledger.prepare(pair.n1.host)
    await pair.clients.start()
    await pair.order(pair.n2, 'start')
    // More often than maxloop would allow to a rule that interrupts something.
    for (let times = 0; times < 4; times++) {
      await pair.is(pair.n2, 'SECOND Ready')
      await pair.is(pair.n2, 'WAIT NotReady')
      await pair.is(pair.n1, 'ALONE Ready')
      t.regex(
        (await pair.n2.module(name))?.state?.cause ?? '',
        /rfs\.syncat is down \(synchronised/,
      )
      await pair.clientsGoOn()
      if (times < 3) await pair.n2.mustRun(['rfs', 'sync', '-m', name])
    }
    t.regex(await pair.n2.mustRun(['rfs', 'state', '-m', name]), /has the data of 20/)
    await pair.n1.host.powerOff()
    const prim = ['prim', '-m', name, '--no-wait']
    const accepted = async () => ((await pair.n2.run(prim)).code === 0 ? true : undefined)
    // Refused for as long as the primary was heard a moment ago.
    await until('n2 knows that n1 is gone', accepted, {
      timeoutMs: patienceMs,
    })
    await pair.is(pair.n2, 'ALONE Ready')
    await pair.clientsGoOn()
  })
})
