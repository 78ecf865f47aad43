/**
 * A program for cut-lan.test.ts, run in a network namespace of its own: two nodes on two LANs, of which first one and
 * then both are cut. Prints what happened as one line of JSON.
 */
import { execFileSync } from 'node:child_process'
import type { PeerEvent, Peers } from '@holdfast/sdk'
import { Rig, until } from '../cluster/rig.fixture.js'
import type { ClusterService } from '../cluster/service.js'

const ip = (...args: readonly string[]): void => {
  execFileSync('ip', args)
}
const rig = new Rig()
const subnet = (lan: number): string => `${rig.address('node0', lan)}/24`
const cut = (lan: number): void => {
  ip('route', 'add', 'blackhole', subnet(lan), 'table', 'local')
}
const mend = (lan: number): void => {
  ip('route', 'del', 'blackhole', subnet(lan), 'table', 'local')
}
const peersOf = (service: ClusterService | undefined): Peers => {
  const member = service?.current()
  if (member === undefined) throw new Error('the node is a member')
  return member.network.peersFor('m/test', () => member.config.nodes)
}
const nowMs = (): number => rig.clock().monotonicMs()
const streamLans = (): unknown[] =>
  rig.logged('peerConnected', 'node1').map((line) => line.fields['lan'])

try {
  ip('link', 'set', 'lo', 'up')
  const [one, two] = await rig.cluster(['node1', 'node2'], { lans: 2 })
  const peers = peersOf(one)
  const events: string[] = []
  const watch = (name: string, lans: readonly string[]): void => {
    peers.watch('node2', { timeoutMs: 600, lans }, (event: PeerEvent) => {
      if (event.kind === 'peerSilent' || event.kind === 'peerHeard') {
        events.push(`${name} ${event.kind}`)
      }
    })
  }
  const used = streamLans().at(-1) === 'lan0' ? 0 : 1
  const dials = streamLans().length
  watch('both', [])
  watch('used', [`lan${String(used)}`])

  cut(used)
  const cutMs = nowMs()
  await until('the LAN is silent', () => events.includes('used peerSilent'))
  await until('the stream has moved', () => streamLans().length === dials + 1)
  const movedMs = nowMs() - cutMs
  const answered = peersOf(two).onCall((_node, message) => Promise.resolve(message))
  const answer = await peers.call('node2', 'still there', 1000)
  const afterOneCut = [...events]

  cut(1 - used)
  const bothCutMs = nowMs()
  await until('the peer is silent', () => events.includes('both peerSilent'))
  const silentMs = nowMs() - bothCutMs

  mend(0)
  mend(1)
  await until(
    'the peer is heard',
    () => events.filter((one) => one === 'both peerHeard').length === 2,
  )
  await until('the stream is back', () => peersOf(two).state('node1').connected)
  answered()
  const lans = streamLans().slice(dials - 1)
  process.stdout.write(`${JSON.stringify({ lans, movedMs, answer, afterOneCut, silentMs })}\n`)
} finally {
  await rig.remove()
}
