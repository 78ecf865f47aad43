/**
 * A program for cut-lan.test.ts, run in a network namespace of its own: two nodes on two LANs. The LAN of the stream is
 * cut, in the directions that its argument names, and then all LANs. Prints what happened as one line of JSON.
 */
import { execFileSync } from 'node:child_process'
import type { PeerEvent, Peers } from '@holdfast/sdk'
import { Rig, until } from '../cluster/rig.fixture.js'
import type { ClusterService } from '../cluster/service.js'

const ways = {
  both: [
    ['node1', 'node2'],
    ['node2', 'node1'],
  ],
  // node1 dials, node2 listens.
  'from the dialler': [['node1', 'node2']],
  'from the listener': [['node2', 'node1']],
} as const
export type Cut = keyof typeof ways

const rig = new Rig()
const isCut = (text: string | undefined): text is Cut => Object.hasOwn(ways, text ?? '')
const [, , argument] = process.argv
if (!isCut(argument)) throw new Error(`the argument is one of ${Object.keys(ways).join(', ')}`)

/** Packets vanish without a word to their sender, as behind a cable that is cut. */
const lose = (cuts: readonly (readonly [Cut, number])[]): void => {
  const rules = cuts.flatMap(([cut, lan]) =>
    ways[cut].map(
      ([from, to]) =>
        `add rule ip cut in ip saddr ${rig.address(from, lan)} ip daddr ${rig.address(to, lan)} drop`,
    ),
  )
  const chain = 'add chain ip cut in { type filter hook input priority 0; }'
  const lines = ['add table ip cut', 'flush table ip cut', chain, ...rules, '']
  // npm puts a program of the same name first.
  const env = { PATH: '/usr/sbin:/sbin:/usr/bin:/bin' }
  execFileSync('nft', ['-f', '-'], { input: lines.join('\n'), env })
}
const peersOf = (service: ClusterService | undefined): Peers => {
  const member = service?.current()
  if (member === undefined) throw new Error('the node is a member')
  return member.network.peersFor('m/test', () => member.config.nodes)
}
interface Sent {
  /** The numbers of messages that were refused. */
  readonly refused: number[]
  readonly received: number[]
  readonly end: () => void
}
/** Sends numbered messages for as long as it is not ended. */
const talk = (from: Peers, to: string, there: Peers): Sent => {
  const refused: number[] = []
  const received: number[] = []
  there.onMessage((_node, message) => received.push(Number(message)))
  let number = 0
  const end = rig.clock().every(5, () => {
    if (!from.send(to, number)) refused.push(number)
    number++
  })
  return { refused, received, end }
}
const nowMs = (): number => rig.clock().monotonicMs()
const lansOf = (node: string): unknown[] =>
  rig.logged('peerConnected', node).map((line) => line.fields['lan'])

try {
  execFileSync('ip', ['link', 'set', 'lo', 'up'])
  const [one, two] = await rig.cluster(['node1', 'node2'], { lans: 2 })
  const [first, second] = [peersOf(one), peersOf(two)]
  const events: string[] = []
  const sent: Sent[] = []
  for (const [node, peers, peer] of [
    ['node1', first, 'node2'] as const,
    ['node2', second, 'node1'] as const,
  ]) {
    peers.onCall((_node, message) => Promise.resolve(message))
    sent.push(talk(peers, peer, node === 'node1' ? second : first))
    peers.watch(peer, { timeoutMs: 600, lans: [] }, (event: PeerEvent) => {
      events.push(`${node} ${event.kind}`)
    })
  }
  const count = (event: string): number => events.filter((one) => one === event).length
  const used = lansOf('node1').at(-1) === 'lan0' ? 0 : 1
  const notReachedBefore = rig.logged('peerNotReached').length

  lose([[argument, used]])
  const cutMs = nowMs()
  await until('the dialler is connected again', () => count('node1 peerConnected') === 2)
  await until('the listener is connected again', () => count('node2 peerConnected') === 2)
  const movedMs = nowMs() - cutMs
  const answers = await Promise.all([
    first.call('node2', 'from the dialler', 30_000),
    second.call('node1', 'from the listener', 30_000),
  ])
  const causes = ['node1', 'node2'].map((node) =>
    rig.logged('peerDisconnected', node).map(({ fields }) => fields['cause']),
  )
  const afterOneCut = [...events]
  const lans = [`lan${String(used)}`, lansOf('node1').at(-1), lansOf('node2').at(-1)]
  const notReached = rig.logged('peerNotReached').slice(notReachedBefore)

  await until('messages arrive again', () =>
    sent.every(({ refused, received }) => (received.at(-1) ?? -1) > (refused.at(-1) ?? -1)),
  )
  for (const { end } of sent) end()

  lose([
    ['both', 0],
    ['both', 1],
  ])
  await until('the listener is silent', () => events.includes('node1 peerSilent'))
  await until('the dialler is silent', () => events.includes('node2 peerSilent'))

  lose([])
  const isBack = (node: string): boolean => count(`${node} peerHeard`) === 2
  await until('both are heard', () => isBack('node1') && isBack('node2'))
  await until(
    'the stream is back',
    () => first.state('node2').connected && second.state('node1').connected,
  )
  const talked = sent.map(({ refused, received }) => ({ refused, received }))
  const outcome = { lans, movedMs, answers, causes, afterOneCut, notReached, talked }
  process.stdout.write(`${JSON.stringify(outcome)}\n`)
} finally {
  await rig.remove()
}
