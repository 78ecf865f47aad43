/** Nodes whose messages take no wire: each has the real API on its own socket. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Cancel, type Clock, HoldfastError, type Peers, type Route } from '@holdfast/sdk'
import { plugin } from '../index.js'
import { FakeControl } from './fake-control.js'

export interface FakeNode {
  readonly name: string
  readonly control: FakeControl
  readonly socket: string
  /** Event names and fields that the API logged. */
  readonly logged: { readonly event: string; readonly fields: unknown }[]
  /** Whether the others reach it. */
  connected: boolean
}

type Answerer = (node: string, message: unknown) => Promise<unknown>

/** One node for each name; no names: one node that belongs to no cluster. `stop` ends and removes everything. */
export async function startFakeNodes(
  names: readonly string[],
  routes: readonly Route[] = [],
): Promise<{ readonly nodes: readonly FakeNode[]; readonly stop: () => Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'hfapi-'))
  const answerers = new Map<string, Answerer>()
  const nodes: FakeNode[] = (names.length === 0 ? [undefined] : names).map((name) => ({
    name: name ?? 'alone',
    control: new FakeControl(name, names),
    socket: join(directory, name ?? 'alone', 'api.sock'),
    logged: [],
    connected: true,
  }))
  const stops: (() => Promise<void> | void)[] = []
  const stop = async () => {
    for (const one of stops.reverse()) await one()
    await rm(directory, { recursive: true, force: true })
  }
  for (const node of nodes) {
    const { control, logged } = node
    const log = {
      write: (_level: string, event: string, fields: unknown) => logged.push({ event, fields }),
    }
    const deps = { clock: realClock, control, log, peers: peersOf(node, nodes, answerers), routes }
    const scope = {
      contribute: () => undefined,
      provide: () => undefined,
      onStop: (stop: () => Promise<void> | void) => stops.push(stop),
    }
    try {
      await plugin.activate(deps, { socket: node.socket }, scope)
    } catch (error) {
      await stop()
      throw error
    }
  }
  return { nodes, stop }
}

function peersOf(
  self: FakeNode,
  nodes: readonly FakeNode[],
  answerers: Map<string, Answerer>,
): Peers {
  const find = (name: string) => nodes.find((node) => node.name === name)
  return {
    self: self.name,
    others: nodes.filter((node) => node !== self).map((node) => node.name),
    state: (node) => {
      const connected = find(node)?.connected ?? false
      return { node, lans: [], connected, incarnation: undefined }
    },
    watch: () => () => undefined,
    send: () => false,
    onMessage: () => () => undefined,
    call: async (node, message) => {
      const answerer = answerers.get(node)
      if (answerer === undefined)
        throw new HoldfastError('E_PEER_DISCONNECTED', `no stream to ${node}`)
      const answer = await answerer(self.name, overTheWire(message))
      return overTheWire(answer)
    },
    onCall: (answerer) => {
      answerers.set(self.name, answerer)
      return () => answerers.delete(self.name)
    },
    address: () => undefined,
  }
}

/** What JSON keeps of a message. */
function overTheWire(message: unknown): unknown {
  return JSON.parse(JSON.stringify(message))
}

const realClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after: (delayMs, call): Cancel => {
    const timer = setTimeout(call, delayMs)
    return () => {
      clearTimeout(timer)
    }
  },
  every: (periodMs, call): Cancel => {
    const timer = setInterval(call, periodMs)
    return () => {
      clearInterval(timer)
    }
  },
  cron: () => () => undefined,
}
