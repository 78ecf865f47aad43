/** All cables cut where the operator chose that both go on: what the loser wrote is neither served nor lost. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { withPair } from './given.js'

interface Sets {
  readonly set: string
  readonly files: number
}

test('after a split the copy that is given up is set aside file by file, and can be restored', async (t) => {
  await withPair(t, { timeout: '1000ms', isolation: 'alone' }, async (pair) => {
    const { name, directory } = pair.application
    await pair.serves()
    await pair.separate('default')
    await pair.is(pair.n2, 'ALONE Ready')
    await pair.is(pair.n1, 'ALONE Ready')
    for (const node of pair.nodes) {
      await node.host.mustRun(['sh', '-c', `hostname > ${directory}/owner`])
    }
    await pair.n2.host.mustRun(['sh', '-c', `echo n2 alone > ${directory}/only-on-n2`])
    await pair.lab.network.endLosses()
    await pair.is(pair.n2, 'WAIT NotReady')
    await pair.is(pair.n1, 'ALONE Ready')

    await pair.n2.mustRun(['stop', '-m', name])
    await pair.n2.mustRun(['second', 'fullsync', '-m', name, '--no-wait'])
    await pair.is(pair.n2, 'SECOND Ready')
    await pair.is(pair.n1, 'PRIM Ready')
    const command = ['rfs', 'diverged']
    // The CLI validates what it prints.
    const sets = JSON.parse(
      await pair.n2.mustRun([...command, 'list', '-m', name, '--json']),
    ) as readonly Sets[]
    t.is(sets.length, 1)
    const set = sets[0]?.set ?? ''
    const shown = await pair.n2.mustRun([...command, 'show', set, '-m', name])
    t.regex(shown, /only-on-n2/)
    t.regex(shown, /owner/)
    t.not((await pair.n2.lastEvent(name, 'divergedSetAside'))?.['files'], 0)

    await pair.n2.mustRun([...command, 'restore', set, 'owner', '--to', '/srv/owner', '-m', name])
    t.is((await readFile(join(pair.n2.host.disk, 'srv', 'owner'), 'utf8')).trim(), 'n2')
    await pair.order(pair.n1, 'swap')
    await pair.is(pair.n2, 'PRIM Ready')
    await pair.n2.mustRun([...command, 'restore', set, 'only-on-n2', '-m', name])
    for (const node of pair.nodes) {
      const file = join(node.host.disk, directory, 'only-on-n2')
      t.is(await readFile(file, 'utf8'), 'n2 alone\n')
    }
  })
})
