/**
 * Keeps the processors from halting while there is a stream of work. Waking a halted processor, above all a virtual
 * one, takes longer than all that is done for a small write, and each such write has four of these wake-ups. The kernel
 * is asked through /dev/cpu_dma_latency; it takes the wish back by itself when this process ends, however it ends.
 */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import type { Loop } from './loop.js'

const DEVICE = '/dev/cpu_dma_latency'
const DRIVER = '/sys/devices/system/cpu/cpuidle/current_driver'
/** How far apart the decisions are at least: also how long processors stay awake for nothing after the last change. */
const PERIOD_MS = 100
/** Rounds of the loop in a second that make it worth while; a write one at a time makes one or two. */
const ROUNDS_FROM = 500
const ROUNDS_UNTIL = 250
/** A halt that is as short as this (C1 of a real processor) saves power and costs nothing that can be measured. */
const REAL_MICROSECONDS = 2
/** For a virtual processor there is no short halt: none at all. */
const VIRTUAL_MICROSECONDS = 0

/** Pure. Two thresholds, so that a load near one of them does not ask and take back all the time. */
export function staysAwake(isAwake: boolean, rounds: number, elapsedMs: number): boolean {
  return (rounds * 1000) / elapsedMs >= (isAwake ? ROUNDS_UNTIL : ROUNDS_FROM)
}

/** Runs with the loop from now on. `log`: once, when the kernel can't be asked. */
export function keepAwake(loop: Loop, log: (cause: string) => void): void {
  let wish: number | undefined
  let rounds = loop.rounds
  let at = loop.now
  let refused = false
  const due = (): number => {
    const mayBegin = loop.rounds - rounds >= (ROUNDS_FROM * PERIOD_MS) / 1000
    return wish !== undefined || mayBegin ? at + PERIOD_MS : Infinity
  }
  loop.deadline(due, () => {
    const wanted = staysAwake(wish !== undefined, loop.rounds - rounds, Math.max(1, loop.now - at))
    rounds = loop.rounds
    at = loop.now
    if (wanted === (wish !== undefined) || refused) return
    if (wish !== undefined) closeSync(wish)
    wish = wanted ? ask(log) : undefined
    refused = wanted && wish === undefined
  })
}

/** The open descriptor is the wish. Undefined: this kernel, or this container, has no such device. */
function ask(log: (cause: string) => void): number | undefined {
  try {
    const device = openSync(DEVICE, 'w')
    const microseconds = Buffer.alloc(4)
    microseconds.writeInt32LE(isVirtual() ? VIRTUAL_MICROSECONDS : REAL_MICROSECONDS)
    writeSync(device, microseconds)
    return device
  } catch (error) {
    // Only speed is lost, whatever the reason.
    if (!(error instanceof Error && 'code' in error)) throw error
    log(error.message)
    return undefined
  }
}

function isVirtual(): boolean {
  return readFileSync(DRIVER, 'latin1').trim() === 'haltpoll'
}
