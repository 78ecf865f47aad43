/** For tests: drivers with the real machine, joined by a stream in memory and resources that only note what they are told. */
import {
  type Clock,
  done,
  type ModuleState,
  type PeerEvent,
  type Peers,
  refused,
  type Replica,
  type Resource,
  type Role,
  type Store,
  type Transition,
  type Verdict,
  type Witness,
} from '@holdfast/sdk'
import { machineConfig } from '../settings.js'
import { MirrorDriver } from './driver.js'

const realClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after: (delayMs, call) => {
    const timer = setTimeout(call, delayMs)
    return () => clearTimeout(timer)
  },
  every: (periodMs, call) => {
    const timer = setInterval(call, periodMs)
    return () => clearInterval(timer)
  },
  cron: () => () => undefined,
}

function memoryStore(): Store {
  const kept = new Map<string, string>()
  const slice = {
    read: async <T>(name: string): Promise<T | undefined> => {
      const text = await Promise.resolve(kept.get(name))
      return text === undefined ? undefined : (JSON.parse(text) as T) // Written by the same driver.
    },
    write: async (name: string, value: unknown): Promise<void> => {
      await Promise.resolve(kept.set(name, JSON.stringify(value)))
    },
    remove: async (name: string): Promise<void> => {
      await Promise.resolve(kept.delete(name))
    },
  }
  const volatileKept = new Map<string, string>()
  const volatile = {
    ...slice,
    read: async <T>(name: string): Promise<T | undefined> => {
      const text = await Promise.resolve(volatileKept.get(name))
      return text === undefined ? undefined : (JSON.parse(text) as T) // As above.
    },
    write: async (name: string, value: unknown): Promise<void> => {
      await Promise.resolve(volatileKept.set(name, JSON.stringify(value)))
    },
  }
  return { ...slice, volatile }
}

export class Cable {
  readonly #ends = new Map<
    string,
    { message?: (body: unknown) => void; watch?: (event: PeerEvent) => void }
  >()
  isUp = true

  end(self: string, other: string): Peers {
    const mine = this.#ends.get(self) ?? {}
    this.#ends.set(self, mine)
    return {
      self,
      others: [other],
      state: () => ({ node: other, lans: [], connected: this.isUp, incarnation: undefined }),
      watch: (_node, _options, on) => {
        mine.watch = on
        queueMicrotask(() => {
          on({ kind: 'peerHeard', node: other })
          on({ kind: 'peerConnected', node: other })
        })
        return () => delete mine.watch
      },
      send: (_node, body) => {
        const target = this.#ends.get(other)?.message
        if (!this.isUp || target === undefined) return false
        const copy: unknown = JSON.parse(JSON.stringify(body))
        queueMicrotask(() => target(copy))
        return true
      },
      onMessage: (on) => {
        mine.message = (body) => on(other, body)
        return () => delete mine.message
      },
      call: async () => await Promise.reject(new Error('not used')),
      onCall: () => () => undefined,
      address: () => undefined,
    }
  }

  connect(): void {
    this.isUp = true
    for (const [node, end] of this.#ends) {
      end.watch?.({ kind: 'peerHeard', node })
      end.watch?.({ kind: 'peerConnected', node })
    }
  }

  /** Both live on and hear nothing of each other; `first` notices it first. */
  cut(first: string): void {
    this.isUp = false
    const ends = [...this.#ends].sort(([a]) => (a === first ? -1 : 1))
    for (const [node, end] of ends) {
      end.watch?.({ kind: 'peerDisconnected', node })
      end.watch?.({ kind: 'peerSilent', node, silentMs: 5_000 })
    }
  }

  /** The node and its stream are gone. */
  lose(node: string): void {
    this.isUp = false
    for (const [name, end] of this.#ends) {
      if (name === node) continue
      end.watch?.({ kind: 'peerDisconnected', node })
      end.watch?.({ kind: 'peerSilent', node, silentMs: 5_000 })
    }
  }
}

/** Grants each generation to who claims it first. */
export class Arbiter {
  readonly claims: string[] = []
  readonly #holders = new Map<number, string>()
  isOutOfReach = false

  for(node: string): Witness {
    return {
      id: 'arbiter',
      exclusive: true,
      claim: async (_module, generation) => {
        this.claims.push(`${String(generation)}:${node}`)
        if (this.isOutOfReach) return await Promise.resolve('unknown')
        const holder = this.#holders.get(generation) ?? node
        this.#holders.set(generation, holder)
        return await Promise.resolve(holder === node ? 'granted' : 'refused')
      },
    }
  }
}

export class Node {
  readonly store = memoryStore()
  readonly done: string[] = []
  failEnter: string | undefined
  /** The application does not stop before this is resolved. */
  stops: Promise<void> | undefined
  replica: Replica | undefined
  driver: MirrorDriver
  readonly #cable: Cable

  constructor(
    readonly name: string,
    readonly other: string,
    cable: Cable,
    readonly witness?: Witness,
    readonly clock: Clock = realClock,
  ) {
    this.#cable = cable
    this.driver = this.#make()
  }

  restartDaemon(): void {
    this.driver = this.#make()
  }

  #make(): MirrorDriver {
    const note =
      (what: string) =>
      async (change: Transition): Promise<Verdict> => {
        if (what === 'enter' && this.failEnter === change.to)
          return await Promise.resolve(refused('E_T', 'does not start'))
        if (what === 'leave') await this.stops
        this.done.push(`${what} ${change.from}>${change.to}`)
        return await Promise.resolve(done)
      }
    const resource: Resource = {
      id: 'fake',
      order: 100,
      leave: note('leave'),
      enter: note('enter'),
      adopt: async (role: Role) => {
        this.done.push(`adopt ${role}`)
        return await Promise.resolve(done)
      },
    }
    const settings = {
      service: {
        failover: true,
        defaultprim: 'alone',
        maxloop: 3,
        loop_interval: 24,
        isolation: this.witness === undefined ? ('alone' as const) : ('wait' as const),
        right_timeout: 400,
        takeover_delay: 500,
        syncdelta: 0,
      },
      heart: { timeout: 5_000, heartbeat: [] },
    }
    const config = machineConfig(settings, {
      self: this.name,
      peer: this.other,
      hasWitness: this.witness !== undefined,
    })
    return new MirrorDriver(
      {
        clock: this.clock,
        log: { write: () => undefined },
        store: this.store,
        peers: this.#cable.end(this.name, this.other),
        module: {
          name: 'm',
          id: 1,
          node: this.name,
          nodes: ['a', 'b'],
          directories: { package: '', state: '', run: '', logs: '' },
          configDigest: '',
        },
        resources: [resource],
        witnesses: this.witness === undefined ? [] : [this.witness],
        replica: this.replica,
        lans: [],
        random: Math.random,
      },
      config,
    )
  }

  async reaches(wanted: string): Promise<void> {
    await this.#until(wanted, (state) => `${state.role} ${state.sub}` === wanted)
  }

  async sees(role: string): Promise<void> {
    await this.#until(role, (state) => state.remote?.role === role)
  }

  async #until(wanted: string, is: (state: ModuleState) => boolean): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(
        () =>
          reject(
            new Error(`${this.name} is ${JSON.stringify(this.driver.state())}, not ${wanted}`),
          ),
        5_000,
      )
      const look = (state: ModuleState): void => {
        if (!is(state)) return
        clearTimeout(late)
        cancel()
        resolve()
      }
      const cancel = this.driver.watch(look)
      look(this.driver.state())
    })
  }
}

export async function pair(
  arbiter?: Arbiter,
  clock?: Clock,
): Promise<{ a: Node; b: Node; cable: Cable }> {
  const cable = new Cable()
  const a = new Node('a', 'b', cable, arbiter?.for('a'), clock)
  const b = new Node('b', 'a', cable, arbiter?.for('b'), clock)
  await a.driver.begin('rest')
  await b.driver.begin('rest')
  await a.driver.command('prim', {})
  await b.driver.command('start', {})
  await a.reaches('PRIM Ready')
  await b.reaches('SECOND Ready')
  return { a, b, cable }
}

/** The data plane ended while the daemon was down. */
export function lostLink(epoch: number): Replica {
  const answer = (): Promise<Verdict> => Promise.resolve(done)
  return {
    ...{ admit: answer, detach: answer, refuse: answer, follow: answer, unfollow: answer },
    heardMsAgo: () => Promise.resolve(undefined),
    progress: () => undefined,
    watch: (on) => {
      on({ kind: 'linkLost', epoch, cause: 'a test' })
      return () => undefined
    },
  }
}
