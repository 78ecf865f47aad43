/** The delivered modules with their real servers: installed by name, failed over under load, swapped back. */
import { evidenceDirectory, postgresql, type Product, signal, until } from '@holdfast/lab'
import test from 'ava'
import { patienceMs, withPair } from './given.js'
import { failsOverAndBack, idleServer, installByName, packRegistry } from './modules.js'
import { apache, firebird, mariadb, nginx } from './servers.js'

// One after the other: seven clusters with a database or a web server each are too much at once.
test.before(packRegistry)

test.serial('postgresql fails over under load and back, and loses nothing', async (t) => {
  await failsOverAndBack(t, postgresql, { parameters: { EVIDENCE: evidenceDirectory } })
})

test.serial('mariadb fails over under load and back, and loses nothing', async (t) => {
  await failsOverAndBack(t, mariadb)
})

test.serial('nginx fails over under load and back, and loses no file that it took', async (t) => {
  await failsOverAndBack(t, nginx)
})

test.serial('apache fails over under load and back, and loses no file that it took', async (t) => {
  await failsOverAndBack(t, apache)
})

test.serial('firebird fails over under load and back, and loses nothing', async (t) => {
  await failsOverAndBack(t, firebird)
})

async function installAndStart(node: Product, name: string): Promise<void> {
  await installByName(node, name)
  await node.mustRun(['start', '-m', name, '--no-wait'])
  await node.waitForState(name, ['UP Ready'], patienceMs)
}

test.serial(
  'softerrd starts one process again alone, and another one with the whole application',
  async (t) => {
    await withPair(t, { module: false }, async ({ n1 }) => {
      await installAndStart(n1, 'softerrd')
      const worker = await idleServer(n1, 'worker')
      const front = await idleServer(n1, 'front')
      signal(worker, 'SIGKILL')
      const nextWorker = await idleServer(n1, 'worker', worker)
      t.is(await idleServer(n1, 'front'), front)
      t.is(await n1.state('softerrd'), 'UP Ready')
      signal(front, 'SIGKILL')
      await idleServer(n1, 'front', front)
      t.not(await idleServer(n1, 'worker', nextWorker), worker)
    })
  },
)

test.serial('customchecker restarts the application when its checker says so', async (t) => {
  await withPair(t, { module: false }, async ({ n1 }) => {
    await installAndStart(n1, 'customchecker')
    const before = await idleServer(n1, 'custom')
    const resource = async (): Promise<string> =>
      n1.mustRun(['resource', 'history', 'custom.file', '-m', 'customchecker'])
    await until('it is up', async () => (/up/.test(await resource()) ? true : undefined), {
      timeoutMs: patienceMs,
    })
    await n1.host.mustRun(['rm', '/run/holdfast-customchecker.ok'])
    t.not(await idleServer(n1, 'custom', before), before)
    t.regex(await resource(), /down/)
  })
})
