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
  const { peers, peer, clock, replica, post } = options
  let looking: Cancel | undefined
  const stopLooking = (): void => {
    looking?.()
    looking = undefined
  }
  const silent = (): void => {
    stopLooking()
    if (replica?.linked() !== true) {
      post({ kind: 'peerSilent' })
      return
    }
    looking = clock.after(lookAgainMs, silent)
  }
  const cancel = peers.watch(
    peer,
    { timeoutMs: options.timeoutMs, lans: options.lans },
    (event) => {
      if (event.kind === 'peerSilent') {
        silent()
        return
      }
      if (event.kind === 'peerHeard') stopLooking()
      post({ kind: event.kind })
    },
  )
  return () => {
    stopLooking()
    cancel()
  }
}
