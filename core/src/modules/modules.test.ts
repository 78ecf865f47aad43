/** Modules of a cluster in memory: on all nodes or on none, whatever is cut. */
import { chmod, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { HoldfastError } from '@holdfast/sdk'
import test from 'ava'
import { chooseId } from './identities.js'
import {
  configured,
  eventsOf,
  installed,
  kindOf,
  plain,
  refusal,
  Rig,
  type RigNode,
  roleOf,
  userconfig,
} from './rig.js'

async function filesBelow(node: RigNode): Promise<string[]> {
  const all = await readdir(join(node.directories.lib), { recursive: true })
  return all.filter((path) => path.startsWith('modules/') || path.startsWith('pending/')).sort()
}

test('a module has the same number on every node, the smallest that is free', async (t) => {
  await Rig.with(['n1', 'n2'], async (rig) => {
    await configured(rig, 'one')
    await installed(rig, 'two')
    t.is(rig.node('n1').modules.one('two').id, 2)
    t.is(rig.node('n2').modules.one('one').id, 1)
    const { modules } = rig.node('n2')
    await modules.deconfig({ name: 'one' })
    await modules.uninstall({ name: 'one' })
    await installed(rig, 'three')
    t.is(rig.node('n1').modules.one('three').id, 1)
    t.deepEqual(
      rig
        .node('n1')
        .modules.list()
        .map(({ name }) => name),
      ['three', 'two'],
    )
  })
})

test('numbers: contradictions and a 65th module are refused', (t) => {
  t.is(chooseId('c', [{ a: 1 }, { b: 2 }]), 3)
  t.is(chooseId('b', [{ a: 1 }, { b: 2 }]), 2)
  t.is(chooseId('toString', [{ a: 1 }]), 2)
  t.throws(() => chooseId('a', [{ a: 1 }, { a: 2 }]), { message: /different numbers/ })
  const full = Object.fromEntries(Array.from({ length: 64 }, (_, n) => [`m${String(n)}`, n + 1]))
  t.throws(() => chooseId('x', [full]), { message: /64 modules/ })
})

test('a configuration is in force on all nodes, with the sources to edit on each', async (t) => {
  await Rig.with(['n1', 'n2'], async (rig) => {
    await configured(rig, 'app', {
      ...plain,
      'module.json': '{"id":"app","title":"My app","version":"2.1.0","platforms":["linux"]}',
    })
    for (const node of rig.nodes.values()) {
      const view = node.modules.one('app')
      t.deepEqual(
        [view.configured, view.title, view.version, view.id],
        [true, 'My app', '2.1.0', 1],
      )
      t.deepEqual(view.nodes, ['n1', 'n2'])
      t.is(roleOf(node), 'STOP')
      t.deepEqual(eventsOf(node, 'began'), [{ mode: 'rest', timeout: 2000 }])
      const sources = join(node.directories.etc, 'modules/app')
      t.is(await readFile(join(sources, 'bin/start_prim'), 'utf8'), '#!/bin/sh\n')
    }
    // The other node can configure next, with its own edit.
    const n2 = rig.node('n2')
    const edited = userconfig('<service mode="pair"><heart timeout="9s"/></service>')
    const file = join(n2.directories.etc, 'modules/app/conf/userconfig.xml')
    await writeFile(file, edited['conf/userconfig.xml'] ?? '')
    await n2.modules.config({ name: 'app' })
    const began = eventsOf(rig.node('n1'), 'began')
    t.deepEqual(began.at(-1), { mode: 'rest', timeout: 9000 })
  })
})

test('all mistakes are told at once with their places, and nothing is changed anywhere', async (t) => {
  await Rig.with(['n1', 'n2'], async (rig) => {
    const service = `<macro name="T" value="5"/>
<service mode="pair" boot="perhaps" colour="red">
  <heart timeout="fast"/>
  <wheel><tyre size="x"/></wheel>
  <whel/>
</service>`
    const node = await installed(rig, 'app', userconfig(service))
    const before = await Promise.all([...rig.nodes.values()].map(filesBelow))
    const error = await refusal(node.modules.config({ name: 'app' }))
    t.is(error.code, 'E_CONFIG_INVALID')
    const file = join(node.directories.etc, 'modules/app/conf/userconfig.xml')
    t.deepEqual(error.message.replaceAll(`${file}:`, '').split('\n'), [
      '3:22: attribute "boot" of <service> is "perhaps": allowed: on, off, auto',
      '3:37: unknown attribute "colour" in <service>; allowed: boot, boot_delay, mode',
      '4:10: attribute "timeout" of <heart> is "fast": "fast" is not a duration; write a number with an optional suffix d, h, m, s, ms or us, for example 5s; without suffix it counts ms',
      '5:16: attribute "size" of <tyre> is "x": allowed: a whole number',
      '6:3: unknown element <whel> in <service> (did you mean "wheel"?); allowed: bomb, heart, lamp, wheel',
    ])
    t.deepEqual(await Promise.all([...rig.nodes.values()].map(filesBelow)), before)
    t.false(node.modules.one('app').configured)
  })
})

test('an unknown macro and an unknown mode are told with what is allowed', async (t) => {
  await Rig.with(['n1'], async (rig) => {
    const macro =
      '<macro name="DIR" value="/a"/><service mode="pair"><heart timeout="%DIRS%"/></service>'
    const node = await installed(rig, 'app', userconfig(macro))
    const unknown = await refusal(node.modules.config({ name: 'app' }))
    t.regex(unknown.message, /:2:59: unknown macro %DIRS% \(did you mean %DIR%\?\); defined: DIR$/)
    await installed(rig, 'other', userconfig('<service mode="farm"/>'))
    const mode = await refusal(node.modules.config({ name: 'other' }))
    t.regex(mode.message, /:2:10: attribute "mode" of <service> is "farm"; allowed: pair$/)
  })
})

test('each node asks its plugins: what one of them refuses is refused for all, with place and node', async (t) => {
  await Rig.with(['n1', 'n2'], async (rig) => {
    const service = `<service mode="pair"><wheel>
  <tyre size="7"/>
  <tyre size="2"/>
  <tyre size="13"/>
</wheel></service>`
    const node = await installed(rig, 'app', userconfig(service))
    const error = await refusal(node.modules.config({ name: 'app' }))
    const file = join(node.directories.etc, 'modules/app/conf/userconfig.xml')
    t.deepEqual(error.message.replaceAll(`${file}:`, '').split('\n'), [
      '5:9: size 13 brings bad luck',
      '4:9: does not fit (node n2)',
    ])
    t.false(node.modules.one('app').configured)
    t.false((await filesBelow(rig.node('n2'))).some((path) => path.includes('app/')))
  })
})

test('warnings are reported with their places, and a check that throws refuses', async (t) => {
  await Rig.with(['n1', 'n2'], async (rig) => {
    const warn = userconfig('<service mode="pair"><wheel><tyre size="7"/></wheel></service>')
    const node = await installed(rig, 'app', warn)
    const report = await node.modules.config({ name: 'app' })
    t.is(report.warnings.length, 1) // The same from both nodes.
    t.regex(report.warnings[0] ?? '', /userconfig\.xml:2:35: is small$/)
    const bad = userconfig('<service mode="pair"><wheel><tyre size="99"/></wheel></service>')
    await installed(rig, 'broken', bad)
    const error = await refusal(node.modules.config({ name: 'broken' }))
    t.regex(error.message, /plugin wheel: the scale broke \(E_PLUGIN_CHECK\)/)
  })
})

test("a plugin's check sees its configurations in the other modules", async (t) => {
  await Rig.with(['n1'], async (rig) => {
    const files = userconfig('<service mode="pair"><wheel><tyre size="50"/></wheel></service>')
    const node = await configured(rig, 'first', files)
    await installed(rig, 'second', files)
    const error = await refusal(node.modules.config({ name: 'second' }))
    t.regex(error.message, /used by first$/)
    await node.modules.config({ name: 'first' }) // Its own use is not in its way.
  })
})

test('a node that can not be reached refuses the order, and nothing is changed', async (t) => {
  await Rig.with(['n1', 'n2'], async (rig) => {
    const node = await installed(rig, 'app')
    rig.traffic = (_from, to, message) => {
      if (to === 'n2' && kindOf(message) === 'prepare') {
        throw new HoldfastError('E_PEER_DOWN', 'n2 is not connected')
      }
    }
    const error = await refusal(node.modules.config({ name: 'app' }))
    t.is(error.code, 'E_PEER_DOWN')
    t.regex(error.message, /^node n2: /)
    t.false(node.modules.one('app').configured)
    t.deepEqual(
      (await filesBelow(node)).filter((path) => path.includes('app/')),
      [],
    )
    rig.traffic = () => undefined
    await node.modules.config({ name: 'app' })
    t.true(rig.node('n2').modules.one('app').configured)
  })
})

test('a decision that did not arrive is asked for after a restart, and followed', async (t) => {
  await Rig.with(['n1', 'n2'], async (rig) => {
    const node = await installed(rig, 'app')
    const cut = (what: string) => (_from: string, to: string, message: unknown) => {
      if (to === 'n2' && kindOf(message) === what) throw new HoldfastError('E_PEER_DOWN', 'cut')
    }
    rig.traffic = cut('commit')
    const report = await node.modules.config({ name: 'app' })
    t.deepEqual(report.warnings, ['node n2 will follow when it is back: cut'])
    t.true(node.modules.one('app').configured)
    t.throws(() => rig.node('n2').modules.one('app'), { instanceOf: HoldfastError })
    rig.traffic = () => undefined
    await rig.start('n2')
    t.true(rig.node('n2').modules.one('app').configured)
    t.is(roleOf(rig.node('n2')), 'STOP')
  })
})

test('what was prepared and never decided is dropped after a restart of both', async (t) => {
  await Rig.with(['n1', 'n2'], async (rig) => {
    const node = await installed(rig, 'app')
    rig.traffic = (_from, to, message) => {
      // n2 prepares, its answer is lost, and so is the abort.
      if (to === 'n2' && kindOf(message) === 'abort') throw new HoldfastError('E_PEER_DOWN', 'cut')
    }
    const pendingAt = join(rig.node('n2').directories.lib, 'pending')
    const bad = userconfig('<service mode="pair"><wheel><tyre size="13"/></wheel></service>')
    const file = join(node.directories.etc, 'modules/app/conf/userconfig.xml')
    await writeFile(file, bad['conf/userconfig.xml'] ?? '')
    await refusal(node.modules.config({ name: 'app' }))
    t.deepEqual(await readdir(pendingAt), []) // It refused: nothing is pending.

    await writeFile(file, plain['conf/userconfig.xml'] ?? '')
    rig.traffic = (_from, to, message) => {
      if (to === 'n1' || kindOf(message) === 'abort') throw new HoldfastError('E_PEER_DOWN', 'cut')
    }
    await rig.start('n3')
    rig.traffic = (_from, to, message) => {
      const kind = kindOf(message)
      if ((to === 'n3' && kind === 'prepare') || kind === 'abort') {
        throw new HoldfastError('E_PEER_DOWN', 'cut')
      }
    }
    await refusal(node.modules.config({ name: 'app' }))
    t.deepEqual(await readdir(pendingAt), ['app.json'])
    rig.traffic = () => undefined
    const busy = await refusal(node.modules.config({ name: 'app' }))
    t.is(busy.code, 'E_MODULE_BUSY')
    await rig.start('n1')
    await rig.start('n2')
    t.deepEqual(await readdir(pendingAt), [])
    await rig.node('n1').modules.config({ name: 'app' })
    t.true(rig.node('n3').modules.one('app').configured)
  })
})

test('a running module can not be deconfigured, nor its topology configured, on whichever node it runs', async (t) => {
  await Rig.with(['n1', 'n2'], async (rig) => {
    const node = await configured(rig, 'app')
    await rig.node('n2').modules.command({ name: 'app', command: 'start', options: {} })
    const deconfig = await refusal(node.modules.deconfig({ name: 'app' }))
    t.is(deconfig.message, 'module app is UP: stop it first (node n2)')
    const file = join(node.directories.etc, 'modules/app/conf/userconfig.xml')
    await writeFile(file, '<safe><service mode="pair"><heart timeout="9s"/></service></safe>')
    const config = await refusal(node.modules.config({ name: 'app' }))
    t.is(
      config.message,
      `${file}:1:35: timeout in <heart> can't change: module app is UP: stop it first (node n2)`,
    )
    const uninstall = await refusal(node.modules.uninstall({ name: 'app' }))
    t.regex(uninstall.message, /is configured: deconfigure it first/)
    t.is(roleOf(rig.node('n2')), 'UP')
    await rig.node('n2').modules.command({ name: 'app', command: 'stop', options: {} })
    await node.modules.deconfig({ name: 'app' })
    t.false(rig.node('n2').modules.one('app').configured)
  })
})

test('orders that the topology refuses, and unknown modules, are refused with a code', async (t) => {
  await Rig.with(['n1'], async (rig) => {
    const { modules } = await configured(rig, 'app')
    const swap = await refusal(modules.command({ name: 'app', command: 'swap', options: {} }))
    t.deepEqual([swap.code, swap.message], ['E_FAKE', 'no peer'])
    const none = await refusal(modules.command({ name: 'no', command: 'start', options: {} }))
    t.is(none.code, 'E_MODULE_UNKNOWN')
    const name = await refusal(modules.install({ name: '../x', path: '/tmp' }))
    t.is(name.code, 'E_MODULE_NAME')
    const twice = await refusal(modules.install({ name: 'app', path: '/tmp' }))
    t.is(twice.code, 'E_MODULE_EXISTS')
  })
})

test('sources with a link are refused, and modes arrive on the other node', async (t) => {
  await Rig.with(['n1', 'n2'], async (rig) => {
    const path = await rig.write('linked', plain)
    await symlink('/etc/passwd', join(path, 'bin/passwd'))
    const error = await refusal(rig.node('n1').modules.install({ name: 'linked', path }))
    t.regex(error.message, /"bin\/passwd" is neither file nor directory/)
    await chmod(join(await rig.write('sources-app', plain), 'bin/start_prim'), 0o700)
    const node = await configured(rig, 'app')
    const applied = join(
      rig.node('n2').directories.lib,
      'modules/app/applied/package/bin/start_prim',
    )
    const { mode } = await import('node:fs/promises').then((fs) => fs.stat(applied))
    t.is(mode & 0o777, 0o755)
    t.true(node.modules.one('app').configured)
  })
})

test('a package of several parts arrives whole', async (t) => {
  await Rig.with(['n1', 'n2'], async (rig) => {
    const noise = Array.from({ length: 200_000 }, (_, n) =>
      ((n * 2_654_435_761) >>> 0).toString(36),
    )
    const parts: unknown[] = []
    rig.traffic = (_from, _to, message) => {
      if (kindOf(message) === 'part') parts.push(message)
    }
    await configured(rig, 'app', { ...plain, 'bin/data': noise.join('') })
    t.true(parts.length > 1)
    t.true(rig.node('n2').modules.one('app').configured)
  })
})
