/** Rollouts on nodes in memory: what is refused before, what survives a restart of the daemon, what halts. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { HoldfastError, type RolloutView } from '@holdfast/sdk'
import test from 'ava'
import { configured, eventsOf, kindOf, refusal, Rig, type RigNode, userconfig } from '../rig.js'

const service = (timeout: string, rest = ''): string =>
  `<service mode="pair"><heart timeout="${timeout}"/>${rest}</service>`

/** Both nodes of the module `app` are UP. */
async function running(rig: Rig): Promise<RigNode> {
  const node = await configured(rig, 'app', userconfig(service('2s', '<wheel/>')))
  for (const each of rig.nodes.values()) {
    await each.modules.command({ name: 'app', command: 'start', options: {} })
  }
  return node
}

async function edit(node: RigNode, path: string, text: string): Promise<void> {
  await writeFile(join(node.directories.etc, 'modules/app', path), text)
}

async function ended(node: RigNode): Promise<RolloutView> {
  for (;;) {
    const view = await node.modules.rolloutView('app')
    if (view.state !== 'running') return view
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const steps = ({ steps: taken }: RolloutView): readonly string[] =>
  taken.map(({ what, nodes }) => `${what} ${nodes.join(',')}`)

test('scripts go node by node, a dynamic plugin at once, and what is the same changes nothing', async (t) => {
  await Rig.with(['n1', 'n2'], async (rig) => {
    const node = await running(rig)
    await edit(node, 'bin/start_prim', '#!/bin/sh\n# new\n')
    const begun = await node.modules.rollout({ name: 'app' })
    t.is(begun.way, 'rolling')
    t.is((await refusal(node.modules.rollout({ name: 'app' }))).code, 'E_MODULE_BUSY')
    const foreign = await refusal(rig.node('n2').modules.config({ name: 'app' }))
    t.regex(foreign.message, /module app is being changed node by node/)
    const view = await ended(node)
    t.is(view.state, 'done')
    const round = (name: string): string[] => ['stop', 'apply', 'start'].map((w) => `${w} ${name}`)
    t.deepEqual(steps(view), [...round('n1'), ...round('n2')])
    t.deepEqual(
      view.nodes.map(({ role, isNew }) => [role, isNew]),
      [
        ['UP', true],
        ['UP', true],
      ],
    )
    const text = userconfig(service('2s', '<wheel/><lamp colour="red"/>'))['conf/userconfig.xml']
    await edit(node, 'conf/userconfig.xml', text ?? '')
    await node.modules.rollout({ name: 'app' })
    const beside = await ended(node)
    t.deepEqual([beside.way, beside.steps], ['beside', []])
    t.is(eventsOf(rig.node('n2'), 'lampOn').length, 1)
  })
})

test('what both nodes must share is refused with its place, and goes with --stop', async (t) => {
  await Rig.with(['n1', 'n2'], async (rig) => {
    const node = await running(rig)
    const text = userconfig(service('3s', '<wheel/>'))['conf/userconfig.xml'] ?? ''
    await edit(node, 'conf/userconfig.xml', text)
    const error = await refusal(node.modules.rollout({ name: 'app' }))
    t.is(error.code, 'E_CONFIG_INVALID')
    t.regex(
      error.message,
      /userconfig\.xml:2:29: timeout in <heart> can't change on one node alone: .*\(--stop\)/,
    )
    t.is(eventsOf(node, 'rolloutBegan').length, 0)
    await node.modules.rollout({ name: 'app', stop: true })
    const view = await ended(node)
    t.deepEqual([view.way, view.state], ['stop', 'done'])
    t.deepEqual(steps(view), ['stop n1', 'stop n2', 'apply n1,n2', 'start n1', 'start n2'])
  })
})

test('a wrong configuration is refused on all nodes before one of them is touched', async (t) => {
  await Rig.with(['n1', 'n2'], async (rig) => {
    const node = await running(rig)
    const text = userconfig(service('2s', '<wheel><tyre size="x"/></wheel>'))
    await edit(node, 'conf/userconfig.xml', text['conf/userconfig.xml'] ?? '')
    const error = await refusal(node.modules.rollout({ name: 'app', stop: true }))
    t.regex(error.message, /attribute "size" of <tyre> is "x"/)
    t.deepEqual(rolesOf(rig), ['UP', 'UP'])
    t.is(eventsOf(node, 'rolloutBegan').length, 0)
  })
})

test('what a plugin refuses when the nodes have stopped brings them back with what they had', async (t) => {
  await Rig.with(['n1', 'n2'], async (rig) => {
    const node = await running(rig)
    const text = userconfig(service('2s', '<wheel><tyre size="13"/></wheel>'))
    await edit(node, 'conf/userconfig.xml', text['conf/userconfig.xml'] ?? '')
    await node.modules.rollout({ name: 'app', stop: true })
    const view = await ended(node)
    t.is(view.state, 'halted')
    t.regex(view.reason ?? '', /apply on n1, n2: .*size 13 brings bad luck/)
    t.deepEqual(rolesOf(rig), ['UP', 'UP'])
    t.true(view.nodes.every(({ isNew }) => !isNew))
  })
})

for (const cut of ['stop', 'apply', 'start']) {
  test(`a daemon that is restarted while it orders "${cut}" goes on where it was`, async (t) => {
    await Rig.with(['n1', 'n2'], async (rig) => {
      const node = await running(rig)
      await edit(node, 'bin/start_prim', '#!/bin/sh\n# new\n')
      // The order to n2 gets lost in the moment in which the daemon of n1 dies.
      const isCut = (message: unknown): boolean => {
        const orders = rolloutOf(node).at(-1)
        if (orders !== `${cut} n2`) return false
        return ['command', 'prepare', 'standing'].includes(String(kindOf(message)))
      }
      let died: () => void = () => undefined
      const death = new Promise<void>((resolve) => (died = resolve))
      rig.traffic = (from, _, message) => {
        if (from !== 'n1' || !isCut(message)) return
        died()
        throw new HoldfastError('E_PEER_DOWN', 'n2 is not connected')
      }
      await node.modules.rollout({ name: 'app' })
      await death
      await node.modules.close()
      rig.traffic = () => undefined
      await rig.start('n1')
      const view = await ended(rig.node('n1'))
      if (view.state === 'halted') {
        // It had the refusal on disk before it died: n2 is as it was, and the next try goes through.
        t.regex(view.reason ?? '', /on n2: .*n2 is not connected/)
        await rig.node('n1').modules.rollout({ name: 'app' })
        t.is((await ended(rig.node('n1'))).state, 'done')
      }
      for (const each of rig.nodes.values()) t.is(each.modules.one('app').state?.role, 'UP')
      t.true((await rig.node('n1').modules.rolloutView('app')).nodes.every(({ isNew }) => isNew))
    })
  })
}

function rolesOf(rig: Rig): readonly (string | undefined)[] {
  return [...rig.nodes.values()].map(({ modules }) => modules.one('app').state?.role)
}

function rolloutOf(node: RigNode): readonly string[] {
  return eventsOf(node, 'rolloutStep').map((fields) => {
    const { what, nodes } = fields as { what: string; nodes: string[] } // Written by the rollout.
    return `${what} ${nodes.join(',')}`
  })
}
