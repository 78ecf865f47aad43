/** Decides which processes belong to an entry, and what their number means. */
import type { Seen } from '@holdfast/sdk'
import type { Watched } from './settings.js'

export interface Process {
  readonly pid: number
  readonly name: string
  /** Ticks since the boot when it started: with the pid, its identity. */
  readonly started: string
}

export function hasName({ name }: Watched, candidate: Process): boolean {
  return typeof name === 'string' ? candidate.name === name : name.test(candidate.name)
}

/** `atmax` 0: it must not run at all, whatever `atleast` says. */
export function judge(watched: Watched, count: number): Seen {
  const { atMost, ident } = watched
  const atLeast = atMost === 0 ? -1 : watched.atLeast
  const many = `${String(count)} of ${ident} ${count === 1 ? 'runs' : 'run'}`
  if (count < atLeast) {
    return { value: 'down', cause: `${many}, at least ${String(atLeast)} must` }
  }
  if (atMost >= 0 && count >= Math.max(1, atMost)) {
    return { value: 'down', cause: `${many}, fewer than ${String(Math.max(1, atMost))} may` }
  }
  return { value: 'up', cause: many }
}

/** The word of `systemctl is-active`. On its way up or down it is neither. */
export function judgeUnit(unit: string, word: string): Seen {
  const cause = `the unit ${unit} is ${word}`
  if (word === 'active' || word === 'reloading' || word === 'refreshing') {
    return { value: 'up', cause }
  }
  const isDown = word === 'inactive' || word === 'failed'
  return { value: isDown ? 'down' : 'unknown', cause }
}
