/** Is the peer alive? Heartbeats say so, and so does a replication link on which something was heard. */
import type { Cancel, Clock, Peers, Replica } from '@holdfast/sdk'
import type { Event } from '../decide/types.js'

const lookAgainMs = 200

/**
 * A daemon that is killed stops its heartbeats while its application, its data plane and the replication go on:
 * taking over then would run the application twice. So silence counts only when the link is silent as well.
 */
export function watchPeer(options: {
  readonly peers: Peers
  readonly peer: string
  readonly timeoutMs: number
  readonly lans: readonly string[]
  readonly clock: Clock
  readonly replica: Replica | undefined
  readonly post: (event: Event) => void
}): Cancel {
  const { peers, peer, timeoutMs, clock, replica, post } = options
  let looking: Cancel | undefined
  const stopLooking = (): void => {
    looking?.()
    looking = undefined
  }
  let round = 0
  let isToldSilent = false
  const silent = (): void => {
    stopLooking()
    const mine = round
    const concluded = (heardMsAgo: number | undefined): void => {
      if (mine !== round) return
      const isAlive = heardMsAgo !== undefined && heardMsAgo <= timeoutMs
      if (isAlive === isToldSilent) post({ kind: isAlive ? 'peerHeard' : 'peerSilent' })
      isToldSilent = !isAlive
      // A link that was silent can be heard again: whoever is about to take over must know.
      if (heardMsAgo !== undefined) looking = clock.after(lookAgainMs, silent)
    }
    if (replica === undefined) concluded(undefined)
    // A data plane that can't be asked is no evidence of anything.
    else replica.heardMsAgo().then(concluded, () => concluded(undefined))
  }
  const cancel = peers.watch(peer, { timeoutMs, lans: options.lans }, (event) => {
    if (event.kind === 'peerSilent') {
      silent()
      return
    }
    if (event.kind === 'peerHeard') {
      round += 1
      isToldSilent = false
      stopLooking()
    }
    post({ kind: event.kind })
  })
  return () => {
    round += 1
    stopLooking()
    cancel()
  }
}
