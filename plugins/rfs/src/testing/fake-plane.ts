/**
 * For tests of the driver: a data plane that mounts for real (without answering the kernel) and notes each order. What it is
 * to do wrong stands in `fake.json` beside its socket.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { appendFileSync, closeSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { codeOf } from '../driver/code.js'
import type { PlaneLaunch, PlaneLink, PlaneRole } from '../driver/protocol.js'
import { objectOf } from '../driver/object.js'
import { parseObject } from '../driver/wire.js'

const isCheck = process.argv[2] === '--check'
const launchFile = process.argv[isCheck ? 3 : 2] ?? ''
const launch = JSON.parse(readFileSync(launchFile, 'utf8')) as PlaneLaunch // Written by the driver under test.
const run = dirname(launch.socket)
const directories = launch.volumes.map(({ directory }) => directory)

/** As it was when this process began, like the real one's. */
const code =
  faults()['otherCode'] === true
    ? { version: '0.0.1', digest: 'other' }
    : await codeOf(process.argv[1] ?? '')
let role: PlaneRole = 'idle'
let link: PlaneLink = 'none'
let generation: string | undefined
let epoch = 0
let client: Socket | undefined
const devices: number[] = []

function faults(): Readonly<Record<string, unknown>> {
  try {
    return parseObject(readFileSync(`${run}/fake.json`, 'utf8')) ?? {}
  } catch {
    return {}
  }
}

function mountAll(): void {
  for (const directory of directories) {
    const fd = openSync('/dev/fuse', 'r+')
    const options = 'fd=3,rootmode=40000,user_id=0,group_id=0'
    const result = spawnSync(
      'mount',
      ['-i', '-t', 'fuse.holdfast', '-o', options, 'holdfast', directory],
      { stdio: ['ignore', 'inherit', 'inherit', fd] },
    )
    if (result.status !== 0) throw new Error(`mount ${directory} failed`)
    devices.push(fd)
  }
}

function unmountAll(): void {
  for (const directory of directories) execFileSync('umount', ['--no-canonicalize', directory])
  for (const fd of devices.splice(0)) closeSync(fd)
}

function tell(event: Readonly<Record<string, unknown>>): void {
  client?.write(`${JSON.stringify(event)}\n`)
}

function obey(order: string, line: Readonly<Record<string, unknown>>): object {
  if (typeof line['epoch'] === 'number') epoch = line['epoch']
  switch (order) {
    case 'status':
      return {
        ok: true,
        pid: process.pid,
        code,
        speaks: Number(faults()['speaks'] ?? 2),
        role,
        generation,
        epoch,
        link: faults()['held'] === true ? 'held' : link,
        heardMsAgo: link === 'none' ? undefined : 0,
        counters: {},
      }
    case 'serve':
      mountAll()
      role = 'serving'
      generation = String(line['generation'])
      return { ok: true }
    case 'unserve':
      if (faults()['busy'] === true && line['force'] !== true) {
        return { code: 'E_RFS_BUSY', reason: 'in use' }
      }
      unmountAll()
      role = 'idle'
      link = 'none'
      return { ok: true }
    case 'follow':
      role = 'following'
      link = 'copying'
      return { ok: true }
    case 'unfollow':
      role = 'idle'
      link = 'none'
      return { ok: true }
    default:
      return { ok: true }
  }
}

function receive(text: string, socket: Socket): void {
  const line = objectOf(parseObject(text)) ?? {}
  const { id, order } = line
  if (typeof order !== 'string') {
    // The test speaks through the same socket: `{"tell":{…}}`.
    const event = objectOf(line['tell'])
    if (event !== undefined) tell(event)
    return
  }
  if (order !== 'status') appendFileSync(`${run}/orders`, `${text}\n`)
  if (faults()['refuse'] === order) {
    socket.write(`${JSON.stringify({ id, code: 'E_RFS_TEST', reason: 'told to refuse' })}\n`)
    return
  }
  socket.write(`${JSON.stringify({ id, ...obey(order, line) })}\n`)
  if (order === 'exit') {
    rmSync(launch.socket, { force: true })
    process.exit(0)
  }
  if (order === 'follow' && faults()['finishes'] === true) {
    link = 'live'
    tell({ event: 'copyFinished', epoch })
  }
}

if (faults()['failsAtStart'] === true) {
  console.error('told to fail at the start')
  process.exit(3)
}
if (isCheck) process.exit(0)
rmSync(launch.socket, { force: true })
createServer((socket) => {
  client?.destroy()
  client = socket
  let buffered = ''
  socket.setEncoding('utf8')
  socket.on('error', () => undefined)
  socket.on('data', (chunk: string) => {
    buffered += chunk
    const lines = buffered.split('\n')
    buffered = lines.pop() ?? ''
    for (const text of lines) receive(text, socket)
  })
}).listen(launch.socket)
