/** Virtual addresses of both families move with the service. */
import test from 'ava'
import { freeAddress, type Host, until, virtualIp } from '@holdfast/lab'
import { patienceMs, withPair } from './given.js'

test('clients reach the service through its IPv6 address, on the other node after a power cut', async (t) => {
  const { ipv6 } = freeAddress()
  const edit = (xml: string): string =>
    xml.replace(
      /(<virtual_addr[^>]*\/>)/,
      `$1<virtual_addr addr="${ipv6}" where="one_side_alias"/>`,
    )
  await withPair(t, { timeout: '1000ms', edit }, async (pair) => {
    await pair.serves()
    const client = pair.lab.host('c1')
    t.is(await servedBy(client, `[${ipv6}]`), 'n1')
    t.is(await servedBy(client, virtualIp), 'n1')
    await pair.n1.host.powerOff()
    await until(
      'n2 answers through the IPv6 address',
      async () => ((await servedBy(client, `[${ipv6}]`)) === 'n2' ? true : undefined),
      { timeoutMs: patienceMs },
    )
    t.is(await servedBy(client, virtualIp), 'n2')
    await pair.comesBack(pair.n1)
    await pair.is(pair.n1, 'SECOND Ready')
    t.notRegex(await pair.n1.host.mustRun(['ip', '-6', 'addr']), /fd77::200\//)
    t.is(await servedBy(client, `[${ipv6}]`), 'n2')
    await pair.promisesHold(t)
  })
})

/** The node that answers at an address; undefined: none. */
async function servedBy(client: Host, address: string): Promise<string | undefined> {
  const ask =
    `const answer = await fetch('http://${address}:8080/health', ` +
    `{ signal: AbortSignal.timeout(2000) }); process.stdout.write((await answer.json()).node)`
  const result = await client.run([process.execPath, '--input-type=module', '-e', ask])
  return result.code === 0 ? result.stdout : undefined
}
