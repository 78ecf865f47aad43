/** What systemd would receive, received by a socket of the test's own. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { sendTo } from './datagram.js'
import { wantedOf } from './settings.js'

test('a datagram arrives as it was sent, and a receiver that is gone is told by name', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-systemd-'))
  const path = join(directory, 'notify')
  t.is(sendTo(path, 'READY=1'), 'ENOENT')
  // Node has no datagram sockets of this kind, python has.
  const program = `
import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(${JSON.stringify(path)})
print("bound", flush=True)
print(s.recv(100).decode(), s.recv(100).decode(), flush=True)`
  const receiver = spawn('python3', ['-c', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  receiver.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
  await once(receiver.stdout, 'data')
  t.is(sendTo(path, 'READY=1'), undefined)
  t.is(sendTo(path, 'WATCHDOG=1'), undefined)
  await once(receiver, 'close')
  t.is(said, 'bound\nREADY=1 WATCHDOG=1\n')
  t.is(sendTo(path, 'STOPPING=1'), 'ECONNREFUSED')
  t.is(sendTo(`/${'x'.repeat(200)}`, 'READY=1'), 'ENAMETOOLONG')
  rmSync(directory, { recursive: true })
})

test('systemd is told three times in the time that it waits, by the process that it means', (t) => {
  const environment = { NOTIFY_SOCKET: '@notify', WATCHDOG_USEC: '30000000', WATCHDOG_PID: '7' }
  t.deepEqual(wantedOf(environment, 7), { socket: '@notify', periodMs: 10_000 })
  t.deepEqual(wantedOf(environment, 8), { socket: '@notify', periodMs: undefined })
  t.deepEqual(wantedOf({}, 7), { socket: undefined, periodMs: undefined })
  t.is(wantedOf({ ...environment, NOTIFY_SOCKET: 'relative' }, 7).socket, undefined)
  t.is(wantedOf({ ...environment, WATCHDOG_USEC: 'soon' }, 7).periodMs, undefined)
})
