/** Two drivers with the real machine, joined by a stream in memory and resources that only note what they are told. */
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
import test from 'ava'
import type { State } from '../decide/types.js'
import { machineConfig } from '../settings.js'
import { MirrorDriver } from './driver.js'
import { parseMessage } from './message.js'

const clock: Clock = {
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

class Cable {
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
class Arbiter {
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

class Node {
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
        clock,
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

async function pair(arbiter?: Arbiter): Promise<{ a: Node; b: Node; cable: Cable }> {
  const cable = new Cable()
  const a = new Node('a', 'b', cable, arbiter?.for('a'))
  const b = new Node('b', 'a', cable, arbiter?.for('b'))
  await a.driver.begin('rest')
  await b.driver.begin('rest')
  await a.driver.command('prim', {})
  await b.driver.command('start', {})
  await a.reaches('PRIM Ready')
  await b.reaches('SECOND Ready')
  return { a, b, cable }
}

test('a first start waits for prim, and then the pair is whole', async (t) => {
  const cable = new Cable()
  const a = new Node('a', 'b', cable)
  const b = new Node('b', 'a', cable)
  await a.driver.begin('rest')
  await b.driver.begin('rest')
  await a.driver.command('start', {})
  await b.driver.command('start', {})
  await a.reaches('WAIT NotReady')
  await b.reaches('WAIT NotReady')
  t.true((await a.driver.command('prim', {})).ok)
  await a.reaches('PRIM Ready')
  await b.reaches('SECOND Ready')
  t.like(await b.driver.command('prim', {}), { ok: false, code: 'E_MIRROR_RUNNING' })
})

test('a node whose module becomes active after the stream opened still learns of the other', async (t) => {
  const cable = new Cable()
  const a = new Node('a', 'b', cable)
  const b = new Node('b', 'a', cable)
  await a.driver.begin('rest')
  cable.connect()
  await b.driver.begin('rest')
  await a.sees('STOP')
  await b.sees('STOP')
  t.true((await a.driver.command('prim', {})).ok)
  await a.reaches('ALONE Ready')
})

test('a clean stop of the primary hands over, and it returns as secondary', async (t) => {
  const { a, b } = await pair()
  await a.driver.command('stop', {})
  await b.reaches('ALONE Ready')
  await a.reaches('STOP NotReady')
  t.true(a.done.includes('leave prim>wait'))
  await a.driver.command('start', {})
  await a.reaches('SECOND Ready')
  await b.reaches('PRIM Ready')
})

test('swap exchanges the roles, from either side', async (t) => {
  const { a, b } = await pair()
  t.true((await a.driver.command('swap', {})).ok)
  await b.reaches('PRIM Ready')
  await a.reaches('SECOND Ready')
  await a.sees('PRIM')
  t.true((await a.driver.command('swap', {})).ok)
  await a.reaches('PRIM Ready')
  await b.reaches('SECOND Ready')
})

test('a silent primary is replaced', async (t) => {
  const { b, cable } = await pair()
  cable.lose('a')
  await b.reaches('ALONE Ready')
  t.true(b.done.includes('enter second>alone'))
})

test('when only the cables are cut the primary asks the witness first, also when it notices last', async (t) => {
  const arbiter = new Arbiter()
  const { a, b, cable } = await pair(arbiter)
  // The one that waits asks again and again.
  t.teardown(() => Promise.all([a.driver.stop(), b.driver.stop()]))
  cable.cut('b')
  await a.reaches('ALONE Ready')
  await b.reaches('WAIT NotReady')
  t.deepEqual(arbiter.claims.slice(0, 2), ['3:a', '3:b'])
  t.false(a.done.some((line) => /^leave (alone|prim)>(wait|stop)/.test(line)))
  t.false(b.done.includes('enter second>alone'))
})

test('with a witness a silent primary is replaced as well', async (t) => {
  const arbiter = new Arbiter()
  const { b, cable } = await pair(arbiter)
  cable.lose('a')
  await b.reaches('ALONE Ready')
  t.deepEqual(arbiter.claims, ['3:b'])
})

test('a secondary that hears the primary again in time takes no right that it does not need', async (t) => {
  const arbiter = new Arbiter()
  const { b, cable } = await pair(arbiter)
  cable.lose('a')
  await b.sees('UNKNOWN')
  cable.connect()
  await b.reaches('SECOND Ready')
  await new Promise((resolve) => setTimeout(resolve, 700)) // Longer than it would wait before it asks.
  t.deepEqual(arbiter.claims, [])
})

test('a start that always fails ends in STOP by maxloop, not in silence', async (t) => {
  const { a, b } = await pair()
  await b.driver.command('stop', {})
  await b.reaches('STOP NotReady')
  await a.reaches('ALONE Ready')
  a.failEnter = 'alone'
  await a.driver.command('stopstart', {})
  await a.reaches('STOP NotReady')
  t.regex(a.driver.state().cause, /maxloop/)
})

test('a restarted daemon adopts the running primary without stopping anything', async (t) => {
  const { a, b } = await pair()
  const before = a.done.length
  await a.driver.stop()
  a.restartDaemon()
  await a.driver.begin('adopt')
  await a.reaches('PRIM Ready')
  const sinceThen = a.done.slice(before).filter((line) => !line.endsWith('alone>prim'))
  t.deepEqual(sinceThen, ['adopt prim'])
  await b.reaches('SECOND Ready')
})

test('a secondary that was taken over by a restarted daemon is not Ready before its link is known', async (t) => {
  const { b } = await pair()
  await b.driver.stop()
  b.restartDaemon()
  const shown: string[] = []
  b.driver.watch(({ role, sub }) => shown.push(`${role} ${sub}`))
  await b.driver.begin('adopt')
  await b.reaches('SECOND Ready')
  t.deepEqual([...new Set(shown)], ['SECOND Transient', 'SECOND Ready'])
})

test('a secondary whose link was lost while its daemon was down is never shown as Ready', async (t) => {
  const { a, b } = await pair()
  await a.driver.stop()
  await b.driver.stop()
  const { place } = (await b.store.volatile.read<State>('place')) ?? {}
  if (place?.role !== 'second') throw new Error('it was a secondary')
  b.replica = lostLink(place.epoch)
  b.restartDaemon()
  // It goes on to ask for a new link.
  t.teardown(() => b.driver.stop())
  const shown: string[] = []
  b.driver.watch(({ role, sub }) => shown.push(`${role} ${sub}`))
  await b.driver.begin('adopt')
  await b.driver.alive()
  t.deepEqual([...new Set(shown)], ['SECOND Transient'])
})

test('a primary that got no right and has not stopped says that it is overdue; one that is asked to stop may take its time', async (t) => {
  const arbiter = new Arbiter()
  const { a, b, cable } = await pair(arbiter)
  t.teardown(() => Promise.all([a.driver.stop(), b.driver.stop()]))
  let stopped = (): void => undefined
  const slowly = (): void => {
    a.stops = new Promise((resolve) => (stopped = resolve))
  }
  slowly()
  await a.driver.command('stop', {})
  await a.reaches('WAIT Transient')
  await t.notThrowsAsync(a.driver.alive())
  stopped()
  await a.reaches('STOP NotReady')
  a.stops = undefined
  await a.driver.command('start', {})
  await a.reaches('SECOND Ready')
  await b.reaches('PRIM Ready')
  await b.driver.command('swap', {})
  await a.reaches('PRIM Ready')
  await b.reaches('SECOND Ready')

  slowly()
  arbiter.isOutOfReach = true
  cable.cut('b')
  await a.reaches('WAIT Transient')
  await t.throwsAsync(a.driver.alive(), { code: 'E_MIRROR_OVERDUE', message: /nobody let/ })
  stopped()
  await a.reaches('WAIT NotReady')
  await t.notThrowsAsync(a.driver.alive())
})

/** The data plane ended while the daemon was down. */
function lostLink(epoch: number): Replica {
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

test('a malformed message of the peer is refused', (t) => {
  t.is(parseMessage({ kind: 'agreed', epoch: 'x' }), undefined)
  t.is(parseMessage({ kind: 'toString' }), undefined)
  t.is(parseMessage(null), undefined)
  t.is(parseMessage({ kind: 'view', view: { role: 'king', ready: true } }), undefined)
  t.deepEqual(parseMessage({ kind: 'swap' }), { kind: 'swap' })
})
