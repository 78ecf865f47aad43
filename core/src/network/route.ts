/**
 * Which LAN carries the stream of a pair of nodes, as a pure machine; each of the two runs one. Heartbeats are the
 * evidence, and since they tell who is heard, both nodes have the same. A stream whose LAN carries nothing, in one
 * direction or in both, is left as soon as two pulses in a row say that another LAN would carry it; the node whose name
 * sorts first dials again, over that one. (Two: a peer that stood still falls silent on all LANs, and is heard again on
 * all of them, but not at the same instant.) Where no LAN carries, the stream stays: it may be that only datagrams are
 * dropped, and a stream that is silent ends by itself.
 */
import { assertNever } from '@holdfast/sdk'

const backOffMinMs = 50
const backOffMaxMs = 1_000
/** A stream that ended sooner counts as a dial that failed: the next one waits longer and takes another LAN. */
export const heldMinMs = 1_000

export interface RouteLan {
  readonly name: string
  /** Heartbeats pass in both directions. */
  readonly carries: boolean
}

type Place =
  /** Nothing to do until the other node has dialled. */
  | { readonly stage: 'listening' }
  | { readonly stage: 'waiting' }
  | { readonly stage: 'dialling'; readonly lan: string; readonly isDoubted: boolean }
  | {
      readonly stage: 'open'
      readonly lan: string
      readonly isDoubted: boolean
      readonly sinceMs: number
    }

export interface Route {
  /** It is this node that dials. */
  readonly dials: boolean
  readonly place: Place
  /** At the last pulse. */
  readonly carrying: readonly string[]
  /** Dials since a stream last held. */
  readonly failures: number
}

/** `lans` are those that both nodes are on, in order of preference. */
export type RouteEvent =
  | { readonly kind: 'ticked'; readonly lans: readonly RouteLan[] }
  | { readonly kind: 'waited'; readonly lans: readonly RouteLan[] }
  | { readonly kind: 'dialFailed' }
  | { readonly kind: 'opened'; readonly lan: string; readonly nowMs: number }
  | { readonly kind: 'closed'; readonly nowMs: number }

export type RouteAction =
  | { readonly kind: 'dial'; readonly lan: string }
  /** Then `waited` is told. */
  | { readonly kind: 'wait'; readonly delayMs: number }
  /** Ends the stream or the dial on `lan`; nothing is told of its end. */
  | { readonly kind: 'leave'; readonly lan: string; readonly cause: string }

export interface RouteStep {
  readonly next: Route
  readonly actions: readonly RouteAction[]
}

/** Begins when the dialler is told that it `waited`. */
export function initialRoute(dials: boolean): Route {
  return { dials, place: { stage: dials ? 'waiting' : 'listening' }, carrying: [], failures: 0 }
}

export function step(route: Route, event: RouteEvent): RouteStep {
  switch (event.kind) {
    case 'ticked':
      return onTick(route, event.lans)
    case 'waited':
      return route.place.stage === 'waiting' ? dial(route, event.lans) : stay(route)
    case 'dialFailed':
      return route.place.stage === 'dialling' ? wait(route, route.failures + 1) : stay(route)
    case 'opened': {
      const { lan, nowMs: sinceMs } = event
      return stay({ ...route, place: { stage: 'open', lan, isDoubted: false, sinceMs } })
    }
    case 'closed': {
      const { place, failures } = route
      if (place.stage !== 'open') return stay(route)
      const hasHeld = event.nowMs - place.sinceMs >= heldMinMs
      return wait(route, hasHeld ? 0 : failures + 1)
    }
    default:
      return assertNever(event)
  }
}

function onTick(before: Route, lans: readonly RouteLan[]): RouteStep {
  const carrying = namesOf(lans.filter((lan) => lan.carries))
  const route = { ...before, carrying }
  const { place } = route
  switch (place.stage) {
    case 'listening':
      return stay(route)
    case 'waiting': {
      const isNews = carrying.some((lan) => !before.carrying.includes(lan))
      return isNews ? dial({ ...route, failures: 0 }, lans) : stay(route)
    }
    case 'dialling':
    case 'open': {
      const isDoubted = carrying.length > 0 && !carrying.includes(place.lan)
      if (isDoubted && place.isDoubted) return leave(route, place.lan, lans)
      return stay({ ...route, place: { ...place, isDoubted } })
    }
    default:
      return assertNever(place)
  }
}

function leave(route: Route, lan: string, lans: readonly RouteLan[]): RouteStep {
  const better = route.carrying.join(', ')
  const cause = `heartbeats do not pass both ways on LAN ${lan}, and do on ${better}`
  const left = { kind: 'leave', lan, cause } as const
  if (!route.dials) return stay({ ...route, place: { stage: 'listening' } }, left)
  const { next, actions } = dial({ ...route, failures: 0 }, lans)
  return stay(next, left, ...actions)
}

/** Only LANs that carry, where there are such; of several each gets its turn. */
function dial(route: Route, lans: readonly RouteLan[]): RouteStep {
  const carrying = lans.filter((lan) => lan.carries)
  const candidates = namesOf(carrying.length > 0 ? carrying : lans)
  const lan = candidates[route.failures % Math.max(candidates.length, 1)]
  if (lan === undefined) return wait(route, route.failures + 1)
  const place = { stage: 'dialling', lan, isDoubted: false } as const
  return stay({ ...route, place }, { kind: 'dial', lan })
}

/** The first wait after a stream that held is as short as that after the first failure. */
function wait(route: Route, failures: number): RouteStep {
  if (!route.dials) return stay({ ...route, place: { stage: 'listening' } })
  const doublings = Math.min(Math.max(failures - 1, 0), 10)
  const delayMs = Math.min(backOffMinMs * 2 ** doublings, backOffMaxMs)
  return stay({ ...route, place: { stage: 'waiting' }, failures }, { kind: 'wait', delayMs })
}

function namesOf(lans: readonly RouteLan[]): readonly string[] {
  return lans.map(({ name }) => name)
}

function stay(next: Route, ...actions: readonly RouteAction[]): RouteStep {
  return { next, actions }
}
