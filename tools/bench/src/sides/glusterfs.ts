/** GlusterFS, replica 2, between the same two nodes: a peer to compare with, set to the same promise (no write-behind). */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Host, type Lab, LabError, until } from '@holdfast/lab'
import { diskDirectory } from '../disks.js'
import type { Side } from './side.js'

const volume = 'bench'
const brick = join(diskDirectory, 'brick')
const mountPoint = '/srv/glusterfs'
/** A write is acknowledged when both bricks have it, as on the other side. Everything else is the default. */
const settings = ['performance.write-behind', 'performance.flush-behind'] as const

export async function glusterfsSide(lab: Lab): Promise<Side> {
  const nodes = [lab.host('n1'), lab.host('n2')] as const
  const addresses = nodes.map((node) => node.cables[0]?.ipv4 ?? '')
  for (const node of nodes) await startDaemon(node)
  const [first] = nodes
  await gluster(first, ['peer', 'probe', addresses[1] ?? ''])
  await until(
    'the GlusterFS peers are connected',
    async () => {
      const status = await first.run(['gluster', '--mode=script', 'peer', 'status'])
      return status.stdout.includes('Peer in Cluster (Connected)') ? true : undefined
    },
    { timeoutMs: 30_000, everyMs: 200 },
  )
  const bricks = addresses.map((address) => `${address}:${brick}`)
  await gluster(first, ['volume', 'create', volume, 'replica', '2', ...bricks, 'force'])
  for (const setting of settings) await gluster(first, ['volume', 'set', volume, setting, 'off'])
  await gluster(first, ['volume', 'start', volume])
  await mountVolume(first, addresses[0] ?? '')
  return {
    name: 'glusterfs',
    node: first,
    directory: mountPoint,
    copies: nodes.map((node) => ({ node, directory: brick })),
    movesData: ([program = '']) => /(^|\/)glusterfs(d)?$/.test(program),
    check: () => checkBricks(first),
    end: () => Promise.resolve(),
  }
}

/** glusterd with directories of its own: the machine's are neither read nor written. */
async function startDaemon(node: Host): Promise<void> {
  const own = join(node.directory, 'glusterfs')
  for (const [name, place] of [
    ['lib', '/var/lib/glusterd'],
    ['log', '/var/log/glusterfs'],
  ] as const) {
    await mkdir(join(own, name), { recursive: true })
    await node.mustRun(['mkdir', '-p', place])
    await node.mustRun(['mount', '--bind', join(own, name), place])
  }
  await node.mustRun(['mkdir', '-p', brick, mountPoint, '/run/gluster'])
  await node.start(['glusterd', '--no-daemon', '--pid-file=/run/glusterd.pid'], {
    log: 'glusterd',
  })
  await until(
    `glusterd of ${node.name} answers (see ${node.logFile('glusterd')})`,
    async () => {
      const answer = await node.run(['gluster', '--mode=script', 'pool', 'list'])
      return answer.code === 0 ? true : undefined
    },
    { timeoutMs: 30_000, everyMs: 200 },
  )
}

/** The mount comes up before the client has found its bricks: an empty listing that works tells that it has. */
async function mountVolume(node: Host, server: string): Promise<void> {
  await node.mustRun(['mount', '-t', 'glusterfs', `${server}:/${volume}`, mountPoint])
  await until(
    'the GlusterFS mount answers',
    async () => {
      const listing = await node.run(['stat', '-f', '-c', '%T', mountPoint])
      return listing.stdout.trim() === 'fuseblk' || listing.stdout.trim() === 'fuse'
        ? true
        : undefined
    },
    { timeoutMs: 15_000, everyMs: 100 },
  )
}

async function checkBricks(node: Host): Promise<void> {
  const xml = await gluster(node, ['volume', 'status', volume, '--xml'])
  const blocks = xml.split('<node>').filter((block) => block.includes(`<path>${brick}</path>`))
  const online = blocks.filter((block) => block.includes('<status>1</status>'))
  if (online.length !== 2) {
    throw new LabError(`GlusterFS has ${online.length} of 2 bricks online: it does not replicate`)
  }
}

async function gluster(node: Host, command: readonly string[]): Promise<string> {
  return node.mustRun(['gluster', '--mode=script', ...command], { timeoutMs: 60_000 })
}
