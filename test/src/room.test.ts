import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { Room } from './room.js'

test('what a killed run left is removed by the next one, mounts included; a run that goes on keeps its own', async (t) => {
  const killed = spawn('sleep', ['infinity'])
  const left = `/var/tmp/hft-${String(killed.pid)}`
  const inner = join(left, 'outer', 'inner')
  mkdirSync(join(left, 'outer'), { recursive: true })
  execFileSync('mount', ['-t', 'tmpfs', 'hft', join(left, 'outer')])
  mkdirSync(inner)
  execFileSync('mount', ['-t', 'tmpfs', 'hft', inner])
  writeFileSync(join(inner, 'file'), 'left')
  const first = await Room.make()
  t.true(existsSync(join(inner, 'file')), 'its process runs')
  await first.remove()

  const gone = once(killed, 'exit')
  killed.kill('SIGKILL')
  await gone
  const second = await Room.make()
  t.false(existsSync(left))
  t.false(readFileSync('/proc/self/mounts', 'utf8').includes(left))
  t.true(existsSync(second.directory))
  await second.remove()
  t.false(existsSync(second.directory))
})
