/** Packing and publishing, and the scripts of the delivered modules on a system that only looks like one. */
import { spawnSync } from 'node:child_process'
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { newKeyPair, parseArchive, readArchive } from '@holdfast/core/packages'
import { parseSigned } from '@holdfast/plugin-registry/format'
import { HoldfastError } from '@holdfast/sdk'
import test, { type ExecutionContext } from 'ava'
import { packModule } from './module.js'
import { buildRegistry, publish } from './registry.js'

const delivered = fileURLToPath(new URL('../../../modules-registry/', import.meta.url))

async function directoryOf(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-pack-'))
  t.teardown(() => rm(directory, { recursive: true }))
  return directory
}

async function refusal(work: Promise<unknown>): Promise<HoldfastError> {
  const outcome = await work.catch((thrown: unknown) => thrown)
  if (outcome instanceof HoldfastError) return outcome
  throw new Error(`no refusal: ${String(outcome)}`)
}

const publication = { name: 'acme', nowMs: Date.parse('2026-01-01T00:00:00Z'), validMs: 86_400_000 }

test('the delivered modules become archives and one index, the same bytes each time', async (t) => {
  const directory = await directoryOf(t)
  const { privatePem } = newKeyPair()
  const signedBy = { ...publication, privatePem }
  const index = await buildRegistry(delivered, join(directory, 'one'), signedBy)
  await buildRegistry(delivered, join(directory, 'two'), signedBy)
  t.deepEqual(
    index.modules
      .map(({ id }) => id)
      .filter((id) => ['ledger', 'mirror', 'postgresql'].includes(id)),
    ['ledger', 'mirror', 'postgresql'],
  )
  const names = await readdir(join(directory, 'one'))
  t.deepEqual(names.length, index.modules.length + 1)
  for (const name of names) {
    const [one, two] = await Promise.all(
      ['one', 'two'].map((which) => readFile(join(directory, which, name))),
    )
    t.deepEqual(one, two, name)
    if (name.endsWith('.safe'))
      t.truthy((await parseArchive(one ?? Buffer.alloc(0), name)).signature)
  }
})

test('what is published never changes, and each publication has a higher number', async (t) => {
  const directory = await directoryOf(t)
  const { privatePem } = newKeyPair()
  const sources = join(directory, 'shop')
  await mkdir(join(sources, 'conf'), { recursive: true })
  await writeFile(
    join(sources, 'conf/userconfig.xml'),
    '<safe><macro name="PORT" value="80"/></safe>',
  )
  const write = async (version: string, more: object = {}): Promise<string> => {
    const manifest = { id: 'shop', version, title: 'Shop', platforms: ['linux'], ...more }
    await writeFile(join(sources, 'module.json'), JSON.stringify(manifest))
    const { data } = await packModule(sources, privatePem)
    const file = join(directory, `${version}.safe`)
    await writeFile(file, data)
    return file
  }
  const to = join(directory, 'registry')
  const put = (file: string): Promise<unknown> =>
    publish([file], to, { ...publication, privatePem })
  await put(await write('1.0.0'))
  await put(await write('1.1.0'))
  t.regex((await refusal(put('/nowhere/x.safe'))).message, /x\.safe can't be read/)
  const { index } = parseSigned(await readFile(join(to, 'index.json'), 'utf8'), 'index')
  t.is(index.number, 2)
  t.deepEqual(
    index.modules[0]?.versions.map(({ version }) => version),
    ['1.0.0', '1.1.0'],
  )
  const changed = await refusal(put(await write('1.1.0', { description: 'other' })))
  t.is(changed.code, 'E_REGISTRY_PUBLISHED')
  t.is((await readArchive(join(to, 'shop-1.1.0.safe'))).package.files.length, 2)
  const text = { type: 'integer', minimum: 100 }
  const bad = await refusal(
    write('2.0.0', { parameters: { properties: { PORT: text, NAME: text } } }),
  )
  t.is(bad.code, 'E_PACKAGE_MANIFEST')
  t.regex(
    bad.message,
    /the parameter NAME of module.json has no <macro.*PORT is "80": must be >= 100/,
  )
})

/** A service manager whose units are files: DIR/UNIT holds its state. Everything asked of it is written down. */
const fakeSystemctl = `#!/bin/sh
units=$(dirname "$0")/units
echo "$*" >>"$units/../asked"
command=$1
for unit; do :; done
state=$units/$unit
case $command in
cat) [ -e "$state" ] ;;
is-enabled) if [ -e "$units/../$unit.enabled" ]; then echo enabled; else echo disabled; exit 1; fi ;;
disable) rm "$units/../$unit.enabled" ;;
is-active)
  content=$(cat "$state" 2>/dev/null || echo inactive)
  [ "$2" = --quiet ] || echo "$content"
  [ "$content" = active ]
  ;;
start) case $unit in bad*) exit 1 ;; dead*) exit 0 ;; *) echo active >"$state" ;; esac ;;
stop) case $(cat "$state") in stubborn) ;; *) echo inactive >"$state" ;; esac ;;
kill) echo active >"$state" ;;
esac
`

interface Services {
  readonly directory: string
  run(script: string, ...args: string[]): { readonly code: number | null; readonly text: string }
  asked(): Promise<string[]>
}

async function servicesOf(
  t: ExecutionContext,
  services: string,
  units: readonly string[],
): Promise<Services> {
  const directory = await directoryOf(t)
  const bin = join(directory, 'bin')
  await cp(join(delivered, 'mirror/bin'), bin, { recursive: true })
  for (const shared of ['services.sh', 'wait.sh']) {
    await cp(join(delivered, 'lib', shared), join(bin, shared))
  }
  await mkdir(join(directory, 'units'))
  await writeFile(join(directory, 'systemctl'), fakeSystemctl)
  await chmod(join(directory, 'systemctl'), 0o755)
  for (const unit of units) await writeFile(join(directory, 'units', unit), 'inactive\n')
  const env = {
    ...{ PATH: `${directory}:${process.env['PATH'] ?? ''}`, SAFEUSERBIN: bin },
    ...{ SERVICES: services, SERVICE_ACTIVE_SECONDS: '1' },
  }
  return {
    directory,
    run: (script, ...args) => {
      const { status, stdout, stderr } = spawnSync(join(bin, script), args, {
        env,
        encoding: 'utf8',
      })
      return { code: status, text: `${stdout}${stderr}` }
    },
    asked: async () => {
      const lines = (await readFile(join(directory, 'asked'), 'utf8')).trim().split('\n')
      return lines.filter((line) => /^(start|stop|disable|kill)/.test(line))
    },
  }
}

test('services are started in order and stopped in reverse, and Holdfast alone starts them', async (t) => {
  const services = await servicesOf(t, 'db, queue,app', ['db', 'queue', 'app'])
  await writeFile(join(services.directory, 'queue.enabled'), '')
  await writeFile(join(services.directory, 'units/app'), 'active\n')
  t.is(services.run('prestart').code, 0)
  t.is(services.run('start_prim', 'WAIT', 'ALONE', 'start').code, 0)
  t.is(services.run('stop_prim', 'ALONE', 'WAIT', 'stop').code, 0)
  t.is(services.run('stop_prim', 'force', 'ALONE', 'WAIT', 'stop').code, 0)
  t.deepEqual(await services.asked(), [
    ...['disable --quiet queue', 'stop app'],
    ...['start db', 'start queue', 'start app'],
    ...['stop app', 'stop queue', 'stop db'],
  ])
})

test('a service that is missing, does not start or does not stop fails its script with a sentence', async (t) => {
  const missing = await servicesOf(t, 'db,app', ['db'])
  const prestart = missing.run('prestart')
  t.is(prestart.code, 1)
  t.regex(prestart.text, /there is no service app on this node/)
  const bad = await servicesOf(t, 'db,bad,app', ['db', 'bad', 'app'])
  t.regex(bad.run('start_prim').text, /bad did not start/)
  t.deepEqual(await bad.asked(), ['start db', 'start bad'])
  const dead = await servicesOf(t, 'dead', ['dead'])
  t.regex(dead.run('start_prim').text, /dead was started, but is not active after 1 seconds/)
  const stubborn = await servicesOf(t, 'db,app', ['db', 'app'])
  await writeFile(join(stubborn.directory, 'units/app'), 'stubborn\n')
  await writeFile(join(stubborn.directory, 'units/db'), 'active\n')
  const stopped = stubborn.run('stop_prim')
  t.is(stopped.code, 1)
  t.regex(stopped.text, /not stopped: app/)
  // The one that could be stopped was stopped all the same.
  t.is(await readFile(join(stubborn.directory, 'units/db'), 'utf8'), 'inactive\n')
  t.is(stubborn.run('stop_prim', 'force').code, 0)
  t.true((await stubborn.asked()).includes('kill --signal=KILL app'))
  const none = await servicesOf(t, ' ,', [])
  t.regex(none.run('prestart').text, /SERVICES names no service/)
})
