/** A new module is whole: it packs, and its scripts start and stop what they promise. */
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { packModule } from '@holdfast/pack'
import { freePort } from '@holdfast/sdk/testing'
import test, { type ExecutionContext } from 'ava'

const program = fileURLToPath(new URL('main.js', import.meta.url))

async function project(t: ExecutionContext): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), 'hf-module-'))
  t.teardown(() => rm(parent, { recursive: true }))
  const directory = join(parent, 'shop')
  const made = spawnSync(process.execPath, [program, 'shop', directory], { encoding: 'utf8' })
  t.is(made.status, 0, made.stderr)
  return directory
}

test('a new module packs as it is, and no directory is overwritten', async (t) => {
  const directory = await project(t)
  const { manifest } = await packModule(directory, undefined)
  t.is(manifest.id, 'shop')
  const again = spawnSync(process.execPath, [program, 'shop', directory], { encoding: 'utf8' })
  t.is(again.status, 1)
  t.regex(again.stderr, /can't be made/)
  const wrong = spawnSync(process.execPath, [program, 'Shop!', join(directory, 'x')])
  t.is(wrong.status, 1)
})

test('its scripts start the server once, refuse a second one, and leave nothing after a stop', async (t) => {
  const directory = await project(t)
  const port = await freePort()
  const script = (name: string, ...args: readonly string[]) =>
    spawnSync(join(directory, 'bin', name), args, {
      encoding: 'utf8',
      timeout: 60_000,
      env: {
        PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`,
        HOLDFAST_MODULE: 'shop',
        HOLDFAST_RUN: directory,
        SAFEUSERBIN: join(directory, 'bin'),
        SAFEUSERVAR: directory,
        APP_DIRECTORY: directory,
        APP_PORT: String(port),
      },
    })
  t.teardown(() => script('stop_prim', 'force'))
  t.is(script('stop_prim').status, 0, 'nothing runs, and a stop is content')
  const started = script('start_prim')
  t.is(started.status, 0, started.stderr)
  const answer = await fetch(`http://127.0.0.1:${String(port)}/module.json`)
  t.like(await answer.json(), { id: 'shop' })
  const second = script('start_prim')
  t.is(second.status, 1)
  t.regex(second.stderr, /runs here already/)
  t.is(script('prestart').status, 0)
  await t.throwsAsync(fetch(`http://127.0.0.1:${String(port)}/module.json`))
})
