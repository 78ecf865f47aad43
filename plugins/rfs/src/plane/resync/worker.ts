/** The worker thread of the copy, as the loop sees it: orders in, events out, one copy at a time. */
import { MessageChannel, Worker, receiveMessageOnPort, type MessagePort } from 'node:worker_threads'
import { close, eventfd, write } from '../libc.js'
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

/** `end`: of the thread. A copy that has reached its end is finished first. */
export type ThreadOrder = ResyncOrder | { readonly kind: 'end'; readonly run: number }

const NONBLOCK = 0o4000
const CLOEXEC = 0o2000000
const ONE = Buffer.from(BigUint64Array.of(1n).buffer)

/** The thread lives while there is a copy: one that waits for the next would take a tenth of the memory of an idle module. */
export const startResyncWorker: StartResyncWorker = (wake: number): ResyncWorker => {
  const runs = new Set<number>()
  let thread: Thread | undefined
  const end = (): void => {
    thread?.order({ kind: 'end', run: 0 })
    thread = undefined
  }
  // A process that exits waits for its threads, and this one may sleep in a system call.
  process.on('exit', end)
  return {
    order(what: ResyncOrder): void {
      if (what.kind === 'source' || what.kind === 'target') {
        runs.add(what.run)
        thread ??= startThread(wake)
      }
      // Without a copy there is nobody whom the order could concern.
      thread?.order(withOwnRoots(what))
    },
    take(): ResyncEvent | undefined {
      const event = thread?.take()
      const isOver = event?.kind === 'failed' || (event?.kind === 'roundDone' && event.last)
      if (isOver && runs.delete(event.run) && runs.size === 0) end()
      return event
    },
  }
}

interface Thread {
  order(what: ThreadOrder): void
  take(): ResyncEvent | undefined
}

function startThread(wake: number): Thread {
  const { port1, port2 } = new MessageChannel()
  const ordered = eventfd(0, NONBLOCK | CLOEXEC)
  const start: ThreadStart = { port: port2, wake, ordered }
  const worker = new Worker(new URL('./thread.js', import.meta.url), {
    workerData: start,
    transferList: [port2],
  })
  worker.unref()
  worker.on('exit', () => close(ordered))
  return {
    order(what: ThreadOrder): void {
      port1.postMessage(what)
      // The buffer itself, not its address: nothing else would keep its memory.
      write(ordered, ONE, 8)
    },
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
function withOwnRoots(order: ResyncOrder): ResyncOrder {
  if (order.kind !== 'source' && order.kind !== 'target') return order
  const volumes = order.volumes.map((volume) => ({
    ...volume,
    root: openDirectory(volume.root, ''),
  }))
  return { ...order, volumes }
}
