/** How much of the processors nobody used lately: whether one more job would find room, or make all others late. */
import { cpus } from 'node:os'

/** Milliseconds since the boot, of all processors together. */
export interface Usage {
  readonly idle: number
  readonly all: number
}

export function usage(): Usage {
  const times = cpus().map((one) => one.times)
  const sum = (ms: (time: (typeof times)[number]) => number): number =>
    times.reduce((total, time) => total + ms(time), 0)
  return {
    // What runs at a lower priority gives way.
    idle: sum(({ idle, nice }) => idle + nice),
    all: sum(({ idle, user, nice, sys, irq }) => idle + user + nice + sys + irq),
  }
}

/** From 0 to 1. Nothing is known of no time at all: 0. */
export function idleShare(before: Usage, after: Usage): number {
  const all = after.all - before.all
  return all <= 0 ? 0 : (after.idle - before.idle) / all
}
