/** The thread of the copy: takes orders, runs a source or a target until it is finished, failed or stopped. */
import { receiveMessageOnPort, workerData } from 'node:worker_threads'
import { messageOf } from '@holdfast/sdk'
import { POLL, close, poll, read, write } from '../libc.js'
import { decodeInto, encodeKeys } from '../journal/codec.js'
import { Keys } from '../journal/keys.js'
import type { ResyncEvent, ResyncOrder } from '../resync-port.js'
import { Channel, ChannelError } from './channel.js'
import { Records } from './records.js'
import { Search } from './search.js'
import { SourceRun, TargetRun, type Run, type RunEvents } from './run.js'
import { TreeError } from './tree.js'
import type { ThreadOrder, ThreadStart } from './worker.js'

// The only starter of this thread is worker.ts, which gives it this.
const { port, wake, ordered } = workerData as ThreadStart
const one = Buffer.from(BigUint64Array.of(1n).buffer)

function tell(event: ResyncEvent): void {
  port.postMessage(event)
  // The buffer itself, not its address: nothing else would keep its memory.
  write(wake, one, 8)
}

/** The start of the next copy, that came while one was running. */
let waiting: Start | undefined

/** Orders that were seen while a long piece of work was under way. */
const held: ThreadOrder[] = []

function takeOrder(): ThreadOrder | undefined {
  return held.shift() ?? receiveOrder()
}

function receiveOrder(): ThreadOrder | undefined {
  // Only worker.ts posts to this port, and it posts ThreadOrders.
  return receiveMessageOnPort(port)?.message as ThreadOrder | undefined
}

/** Blocks until an order comes: this thread has nothing else to do. */
function nextOrder(): ThreadOrder {
  const polled = Buffer.alloc(8)
  const counter = Buffer.alloc(8)
  for (;;) {
    const order = takeOrder()
    if (order !== undefined) return order
    polled.writeInt32LE(ordered, 0)
    polled.writeInt16LE(POLL.IN, 4)
    poll(polled, 1, -1)
    read(ordered, counter, 8)
  }
}

/** Ends a long piece of work when it is not wanted any more. */
function interruptOf(run: number): () => void {
  return () => {
    for (let order = receiveOrder(); order !== undefined; order = receiveOrder()) {
      held.push(order)
      const stops = order.kind === 'end' || isStart(order)
      if (stops || (order.kind === 'stop' && order.run === run)) throw new ChannelError('stopped')
    }
  }
}

type Start = Extract<ResyncOrder, { kind: 'source' | 'target' }>

function isStart(order: ThreadOrder): order is Start {
  return order.kind === 'source' || order.kind === 'target'
}

function startRun(start: Start, channel: Channel): Run {
  const begun = performance.now()
  const on: RunEvents = {
    searched: (found) => {
      const ms = Math.round(performance.now() - begun)
      tell({ kind: 'searched', run: start.run, found: encodeKeys(found), count: found.size, ms })
    },
    scoped: (scope, why) => tell({ kind: 'scoped', run: start.run, scope, why }),
    roundDone: (last) => tell({ kind: 'roundDone', run: start.run, last }),
    setAside: (files, bytes) => tell({ kind: 'setAside', run: start.run, files, bytes }),
    progressed: (progress) => tell({ kind: 'progressed', run: start.run, progress }),
  }
  const keys = new Keys()
  decodeInto(start.journal, keys)
  const { volumes, zoneBytes, standing, gaps } = start
  const search =
    gaps.length === 0
      ? undefined
      : new Search({ ...start, keys, told: (found) => on.searched(found) })
  const options = { channel, volumes, zoneBytes, standing, keys, search: search?.run(), on }
  return start.kind === 'source'
    ? new SourceRun({ ...options, full: start.full, bytesPerSecond: start.bytesPerSecond })
    : new TargetRun({ ...options, aside: start.aside })
}

/** Runs one copy to its end; tells the reason when it did not reach it. */
function runCopy(start: Start): void {
  const { socket, timeoutMs } = start
  const channel = new Channel({
    socket,
    records: new Records(start.keys),
    timeoutMs,
    wake: ordered,
    interrupt: interruptOf(start.run),
  })
  try {
    const failure = failureOf(start, channel)
    if (failure !== undefined) tellFailure(start, channel, failure)
  } finally {
    channel.close()
  }
}

interface Failure {
  readonly reason: string
  /** The peer hears the reason as well, as far as that still goes. */
  readonly isOurs: boolean
}

/** Works on the trees; when it returns, nothing of it does any more. */
function failureOf(start: Start, channel: Channel): Failure | undefined {
  let run: Run | undefined
  try {
    run = startRun(start, channel)
    const reason = follow(run, start.run)
    return reason === undefined ? undefined : { reason, isOurs: false }
  } catch (thrown) {
    return { reason: reasonOf(thrown), isOurs: thrown instanceof TreeError }
  } finally {
    run?.close()
    for (const { root } of start.volumes) close(root)
  }
}

/** Asked anew each time: a step changes it. */
function isOver(run: Run): boolean {
  return run.finished
}

function follow(run: Run, number: number): string | undefined {
  while (!isOver(run)) {
    run.step()
    for (let order = takeOrder(); order !== undefined; order = takeOrder()) {
      if (order.kind === 'end') {
        if (!isOver(run)) process.exit()
        held.unshift(order)
        return undefined
      }
      if (isStart(order)) {
        waiting = order
        return isOver(run) ? undefined : 'another copy was ordered'
      }
      if (order.run !== number) continue
      if (order.kind === 'stop') return 'stopped'
      run.order(order)
    }
  }
  return undefined
}

function tellFailure({ kind, run }: Start, channel: Channel, { reason, isOurs }: Failure): void {
  // The serving side ends the session as soon as it hears: the loop of a target must know the reason before that.
  if (kind === 'target') tell({ kind: 'failed', run, reason })
  if (isOurs) sayFarewell(channel, reason)
  if (kind === 'source') tell({ kind: 'failed', run, reason })
}

function sayFarewell(channel: Channel, reason: string): void {
  try {
    channel.fail(Buffer.from(reason).toString('latin1'))
  } catch (late) {
    // The peer may be gone as well: the first reason is the one that counts.
    if (!(late instanceof ChannelError)) throw late
  }
}

/** A bug in the copy must not take the application's mount with it: it ends this copy, loudly, and the next one starts from nothing. */
function reasonOf(thrown: unknown): string {
  if (thrown instanceof ChannelError || thrown instanceof TreeError) return thrown.message
  return `a bug in the copy: ${stackOf(thrown)}`
}

function stackOf(thrown: unknown): string {
  return (thrown instanceof Error ? thrown.stack : undefined) ?? messageOf(thrown)
}

function main(): void {
  for (;;) {
    const order = waiting ?? nextOrder()
    waiting = undefined
    if (order.kind === 'end') return
    // A round, a proceed or a stop for a copy that has already ended.
    if (!isStart(order)) continue
    runCopy(order)
  }
}

main()
