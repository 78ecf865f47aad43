/** What a refusal is: one clear error, and nothing has changed. And how a node becomes as delivered again. */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { Product } from '@holdfast/lab'
import type { Pair } from './given.js'

/** What must not change: the applied configuration as both nodes know it, and the daemons themselves. */
export async function facts(pair: Pair): Promise<unknown> {
  const nodes: unknown[] = []
  for (const node of [pair.n1, pair.n2]) {
    nodes.push({
      daemon: await node.daemonPid(),
      modules: withoutNews(await node.tryGet('/modules')),
      cluster: withoutNews(await node.tryGet('/cluster')),
      applied: await node.host.mustRun([
        'sh',
        '-c',
        'find /var/lib/holdfast/modules/*/applied* -type f 2>/dev/null | sort | xargs -r cksum',
      ]),
    })
  }
  return nodes
}

/** What a node hears of the other goes on meanwhile, and is no fact of the configuration. */
const news = ['heardMsAgo', 'up', 'connected', 'remote']

function withoutNews(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (key, inner: unknown) => (news.includes(key) ? undefined : inner)),
  )
}

export async function refuses(
  t: ExecutionContext,
  name: string,
  node: Product,
  args: readonly string[],
  says: RegExp,
  input?: string,
): Promise<void> {
  const result = await node.run(args, input === undefined ? {} : { input })
  const said = `${result.stdout}${result.stderr}`
  // 1: refused by the product, 2: refused by the command line already.
  t.true(result.code === 1 || result.code === 2, `${name}: exit code ${result.code}: ${said}`)
  t.regex(said, says, name)
  t.notRegex(said, /\n\s+at .*\.js:\d+/, `${name}: a stack is no message for an operator`)
  t.true(
    said.split('\n').length < 30,
    `${name}: one clear error, not ${said.split('\n').length} lines`,
  )
}

/** The node starts again with empty disks: as delivered. */
export async function wipe(node: Product): Promise<void> {
  await node.host.powerOff()
  for (const name of ['etc-holdfast', 'var-lib-holdfast']) {
    await rm(join(node.host.disk, name), { recursive: true, force: true })
    await mkdir(join(node.host.disk, name))
  }
  await node.host.powerOn()
  await node.start()
}
