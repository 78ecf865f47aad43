/** The worker thread of the copy, as the loop sees it: orders in, events out, one copy at a time. */
import { MessageChannel, Worker, receiveMessageOnPort, type MessagePort } from 'node:worker_threads'
import { eventfd, write } from '../libc.js'
import { openDirectory } from './tree.js'
import type { ResyncEvent, ResyncOrder, ResyncWorker, StartResyncWorker } from '../resync-port.js'

/** What the thread is started with. */
export interface ThreadStart {
  /** Where orders come from and events go. */
  readonly port: MessagePort
  /** The loop's eventfd. */
  readonly wake: number
  /** The thread's own eventfd: an order has come. */
  readonly ordered: number
}

/** Ends the thread: a process that exits waits for its threads, and this one may sleep in a system call. */
export type ThreadOrder = ResyncOrder | { readonly kind: 'end'; readonly run: number }

const NONBLOCK = 0o4000
const CLOEXEC = 0o2000000
const ONE = Buffer.from(BigUint64Array.of(1n).buffer)

/** Starts the thread. Called once, before the loop starts; the thread sleeps until its first order. */
export const startResyncWorker: StartResyncWorker = (wake: number): ResyncWorker => {
  const { port1, port2 } = new MessageChannel()
  const ordered = eventfd(0, NONBLOCK | CLOEXEC)
  const start: ThreadStart = { port: port2, wake, ordered }
  const thread = new Worker(new URL('./thread.js', import.meta.url), {
    workerData: start,
    transferList: [port2],
  })
  thread.unref()
  const order = (what: ThreadOrder): void => {
    port1.postMessage(withOwnRoots(what))
    // The buffer itself, not its address: nothing else would keep its memory.
    write(ordered, ONE, 8)
  }
  process.on('exit', () => order({ kind: 'end', run: 0 }))
  return {
    order,
    take(): ResyncEvent | undefined {
      // Only the thread of this file posts to this port, and it posts ResyncEvents.
      return receiveMessageOnPort(port1)?.message as ResyncEvent | undefined
    },
  }
}

/**
 * The thread gets descriptors of its own for the roots and closes them. The loop may close its own right after `stop`, and the number
 * would then stand for another file while the thread is still at work.
 */
function withOwnRoots(order: ThreadOrder): ThreadOrder {
  if (order.kind !== 'source' && order.kind !== 'target') return order
  const volumes = order.volumes.map((volume) => ({
    ...volume,
    root: openDirectory(volume.root, ''),
  }))
  return { ...order, volumes }
}
