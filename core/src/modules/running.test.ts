/** What runs on a node: adopted after a restart, started at boot, failed alone, replaced where it changed. */
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import {
  configured,
  eventsOf,
  plain,
  refusal,
  Rig,
  type RigNode,
  roleOf,
  userconfig,
} from './rig.js'

test('a restarted daemon adopts what runs, and after a reboot it does not', async (t) => {
  await Rig.with(['n1'], async (rig) => {
    const first = await configured(rig, 'app')
    await first.modules.command({ name: 'app', command: 'start', options: {} })
    await rig.start('n1')
    t.deepEqual(eventsOf(rig.node('n1'), 'began').map(modeOf), ['rest', 'adopt'])
    t.is(roleOf(rig.node('n1')), 'UP')
    rig.bootId = 'boot-2'
    await rig.start('n1')
    t.deepEqual(eventsOf(rig.node('n1'), 'began').map(modeOf), ['rest', 'adopt', 'rest'])
    t.is(roleOf(rig.node('n1')), 'STOP')
  })
})

const boots: readonly [string, 'start' | 'stop', string][] = [
  ['on', 'stop', 'UP'],
  ['auto', 'start', 'UP'],
  ['auto', 'stop', 'STOP'],
  ['off', 'start', 'STOP'],
]

for (const [boot, last, role] of boots) {
  test(`boot="${boot}" after ${last}: the module is ${role} after a reboot`, async (t) => {
    await Rig.with(['n1'], async (rig) => {
      const { modules } = await configured(
        rig,
        'app',
        userconfig(`<service mode="pair" boot="${boot}"/>`),
      )
      t.is(roleOf(rig.node('n1')), 'STOP') // Configuring is not booting.
      await modules.command({ name: 'app', command: 'start', options: {} })
      await modules.command({ name: 'app', command: last, options: {} })
      rig.bootId = 'boot-2'
      await rig.start('n1')
      t.is(roleOf(rig.node('n1')), role)
    })
  })
}

test('boot_delay: the module rests first, is started afterwards, and an order comes before it', async (t) => {
  await Rig.with(['n1'], async (rig) => {
    await configured(rig, 'app', userconfig('<service mode="pair" boot="on" boot_delay="1"/>'))
    await configured(rig, 'held', userconfig('<service mode="pair" boot="on" boot_delay="1"/>'))
    rig.bootId = 'boot-2'
    await rig.start('n1')
    const node = rig.node('n1')
    t.is(roleOf(node), 'STOP')
    await node.modules.command({ name: 'held', command: 'stop', options: {} })
    await rig.until('n1', 'app', 'UP')
    t.is(roleOf(node, 'held'), 'STOP')
  })
})

test('a plugin that fails or hangs fails its module with a sentence, and no other module', async (t) => {
  await Rig.with(['n1'], async (rig) => {
    const node = await configured(rig, 'app')
    await configured(rig, 'broken', userconfig('<service mode="pair"><bomb/></service>'))
    await configured(rig, 'stuck', userconfig('<service mode="pair"><bomb hang="on"/></service>'))
    t.deepEqual(node.modules.one('broken').failure, {
      code: 'E_PLUGIN_ACTIVATE',
      reason: 'plugin bomb: boom',
    })
    t.is(node.modules.one('stuck').failure?.code, 'E_TIMEOUT')
    const order = { name: 'broken', command: 'start', options: {} } as const
    t.is((await refusal(node.modules.command(order))).code, 'E_PLUGIN_ACTIVATE')
    await rig.start('n1')
    t.is(roleOf(rig.node('n1')), 'STOP')
    t.is(rig.node('n1').modules.one('broken').failure?.code, 'E_PLUGIN_ACTIVATE')
    // Corrected, it runs.
    const file = join(node.directories.etc, 'modules/broken/conf/userconfig.xml')
    await writeFile(file, plain['conf/userconfig.xml'] ?? '')
    await rig.node('n1').modules.config({ name: 'broken' })
    t.is(roleOf(rig.node('n1'), 'broken'), 'STOP')
    t.is(rig.node('n1').modules.one('broken').failure, undefined)
  })
})

test('a module that failed while it ran is not removed, and adopted when it is corrected', async (t) => {
  await Rig.with(['n1'], async (rig) => {
    const service = '<service mode="pair"><wheel/></service>'
    const { modules, directories } = await configured(rig, 'app', userconfig(service))
    await modules.command({ name: 'app', command: 'start', options: {} })
    const manifest = join(rig.directory, 'plugins/wheel/plugin.json')
    await rename(manifest, `${manifest}.gone`)
    await rig.start('n1')
    const node = rig.node('n1')
    t.is(node.modules.one('app').state, undefined)
    t.regex(node.modules.one('app').failure?.reason ?? '', /unknown element <wheel>/)
    const error = await refusal(node.modules.deconfig({ name: 'app' }))
    t.regex(error.message, /module app was UP when it failed/)
    const file = join(directories.etc, 'modules/app/conf/userconfig.xml')
    await writeFile(file, plain['conf/userconfig.xml'] ?? '')
    await node.modules.config({ name: 'app' })
    t.is(roleOf(node), 'UP')
    t.deepEqual(eventsOf(node, 'began').map(modeOf), ['rest', 'adopt'])
  })
})

test('a new configuration replaces the plugins that it concerns and keeps the others', async (t) => {
  await Rig.with(['n1'], async (rig) => {
    const service = (timeout: string): string =>
      `<service mode="pair"><heart timeout="${timeout}"/><wheel><tyre size="1"/></wheel></service>`
    const node = await configured(rig, 'app', userconfig(service('1s')))
    const file = join(node.directories.etc, 'modules/app/conf/userconfig.xml')
    await writeFile(file, userconfig(service('2s'))['conf/userconfig.xml'] ?? '')
    await node.modules.config({ name: 'app' })
    t.is(eventsOf(node, 'wheelStarted').length, 1)
    t.deepEqual(eventsOf(node, 'began').map(modeOf), ['rest', 'rest'])
  })
})

test('other nodes replace all plugins: a node that the cluster removed may be left out, another comes in its place', async (t) => {
  await Rig.with(['n1', 'n2', 'n3'], async (rig) => {
    const path = await rig.write('app', userconfig('<service mode="pair"><wheel/></service>'))
    const { modules } = rig.node('n1')
    await modules.install({ name: 'app', path })
    await modules.config({ name: 'app', nodes: ['n1', 'n2'] })
    const taken = modules.config({ name: 'app', nodes: ['n1', 'n3'] })
    t.regex((await refusal(taken)).message, /also configured on n2/)
    rig.nodes.delete('n2')
    t.deepEqual((await modules.config({ name: 'app', nodes: ['n1', 'n3'] })).nodes, ['n1', 'n3'])
    t.is(eventsOf(rig.node('n1'), 'wheelStarted').length, 2)
    t.deepEqual(eventsOf(rig.node('n1'), 'began').map(modeOf), ['rest', 'rest'])
    rig.nodes.delete('n3')
    t.deepEqual((await modules.deconfig({ name: 'app' })).nodes, ['n1'])
  })
})

const beside = (rest: string, timeout = '1s'): string =>
  `<service mode="pair">\n<heart timeout="${timeout}"/>\n<wheel/>${rest}\n</service>`

async function reconfigured(node: RigNode, service: string): Promise<readonly string[]> {
  const file = join(node.directories.etc, 'modules/app/conf/userconfig.xml')
  await writeFile(file, userconfig(service)['conf/userconfig.xml'] ?? '')
  return (await node.modules.config({ name: 'app' })).warnings
}

test('beside a running role a dynamic plugin is added, changed and removed, and nothing else is touched', async (t) => {
  await Rig.with(['n1', 'n2'], async (rig) => {
    const node = await configured(rig, 'app', userconfig(beside('')))
    await node.modules.command({ name: 'app', command: 'start', options: {} })
    await reconfigured(node, beside('<lamp colour="red"/>'))
    const signal = new AbortController().signal
    const request = { name: 'app', command: 'lamp colour', parameters: {} }
    t.deepEqual((await node.modules.runCommand(request, signal)).lines, ['red'])
    await reconfigured(node, beside('<lamp colour="blue"/>'))
    t.deepEqual((await rig.node('n2').modules.runCommand(request, signal)).lines, ['blue'])
    await reconfigured(node, beside(''))
    t.deepEqual(node.modules.commands('app'), [])
    t.is(roleOf(node), 'UP')
    t.deepEqual(eventsOf(node, 'began').map(modeOf), ['rest'])
    t.is(eventsOf(node, 'wheelStarted').length, 1)
    t.is(eventsOf(node, 'lampOff').length, 2)
  })
})

test('a plugin that is asked alone about a change still hears what the others mean for it', async (t) => {
  await Rig.with(['n1'], async (rig) => {
    const node = await configured(rig, 'app', userconfig(beside('')))
    await node.modules.command({ name: 'app', command: 'start', options: {} })
    const warnings = await reconfigured(node, beside('<lamp colour="curious"/>'))
    t.is(warnings.length, 1)
    t.regex(warnings[0] ?? '', /stops in 4000 beside .*point\.topology/)
  })
})

test('what can not change while the module runs is told with its place, and nothing is changed', async (t) => {
  await Rig.with(['n1'], async (rig) => {
    const node = await configured(rig, 'app', userconfig(beside('')))
    await node.modules.command({ name: 'app', command: 'start', options: {} })
    const end = 'module app is UP: stop it first'
    const cases: readonly [string, RegExp][] = [
      [beside('', '2s'), /userconfig\.xml:3:8: timeout in <heart> can't change: module app is UP/],
      [beside('<bomb/>'), /:4:9: plugin bomb \(<bomb>\) can't be added: module app is UP/],
      ['<service mode="pair"><heart timeout="1s"/></service>', /wheel.* can't be removed: module/],
    ]
    for (const [service, expected] of cases) {
      const { code, message } = await refusal(reconfigured(node, service))
      t.is(code, 'E_CONFIG_INVALID')
      t.regex(message, expected)
    }
    await writeFile(join(node.directories.etc, 'modules/app/bin/start_prim'), '#!/bin/sh\n#\n')
    const script = await refusal(reconfigured(node, beside('')))
    t.is(script.message, `bin/start_prim can't change: ${end}`)
  })
})

test('a dynamic plugin that fails beside a running role is shown, and the role goes on', async (t) => {
  await Rig.with(['n1'], async (rig) => {
    const node = await configured(rig, 'app', userconfig(beside('')))
    await node.modules.command({ name: 'app', command: 'start', options: {} })
    const warnings = await reconfigured(node, beside('<lamp broken="on"/>'))
    t.deepEqual(warnings, ['not all of the module works: plugin lamp: no bulb'])
    t.is(roleOf(node), 'UP')
    t.is(node.modules.one('app').failure?.code, 'E_PLUGIN_ACTIVATE')
    await node.modules.command({ name: 'app', command: 'stop', options: {} })
    t.is(roleOf(node), 'STOP')
    const start = node.modules.command({ name: 'app', command: 'start', options: {} })
    t.is((await refusal(start)).message, 'module app: plugin lamp: no bulb')
    await reconfigured(node, beside('<lamp colour="red"/>'))
    await node.modules.command({ name: 'app', command: 'start', options: {} })
    t.is(roleOf(node), 'UP')
    t.is(node.modules.one('app').failure, undefined)
  })
})

function modeOf(fields: unknown): unknown {
  return typeof fields === 'object' && fields !== null && 'mode' in fields ? fields.mode : undefined
}
