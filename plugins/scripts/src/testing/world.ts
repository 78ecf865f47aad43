/** For tests: a module directory with real scripts, and the services of a daemon that can be "restarted". */
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock, Log, ModuleContext, Program, Store, Transition } from '@holdfast/sdk'
import { ScriptsDriver } from '../driver.js'
import { Offered } from '../offered.js'
import { type ScriptsConfig, variablesOf } from '../settings.js'

export interface World {
  readonly context: ModuleContext
  readonly config: ScriptsConfig
  readonly offered: Offered
  readonly events: readonly string[]
  /** A daemon as after its start: only what is in the store is known. */
  daemon(): Daemon
  script(name: string, body: string, mode?: number): Promise<void>
  /** Lines that the scripts wrote with `note`. */
  notes(): Promise<readonly string[]>
  remove(): Promise<void>
}

export interface Daemon extends ScriptsDriver {
  /** As kill -9: nothing that it waits for comes any more, nothing that it writes arrives. */
  crash(): void
}

export async function makeWorld(
  user: Partial<ScriptsConfig['user']> = {},
  programs: (directory: string) => readonly Program[] = () => [],
): Promise<World> {
  const root = await mkdtemp(join(tmpdir(), 'holdfast-scripts-'))
  const directories = {
    package: `${root}/package`,
    state: `${root}/state`,
    run: `${root}/run`,
    logs: `${root}/logs`,
  }
  await mkdir(`${directories.package}/bin`, { recursive: true })
  await mkdir(directories.run)
  const context: ModuleContext = {
    name: 'shop',
    id: 3,
    node: 'n1',
    nodes: ['n1', 'n2'],
    directories,
    configDigest: '',
  }
  const config: ScriptsConfig = {
    user: {
      nicestoptimeout: 10,
      forcestoptimeout: 10,
      starttimeout: 10,
      logging: 'userlog',
      userlogsize: 2048,
      ...user,
    },
  }
  const offered = new Offered(variablesOf(config))
  const events: string[] = []
  const log: Log = {
    write: (_, event) => {
      events.push(event)
    },
  }
  const store = memoryStore()
  return {
    context,
    config,
    offered,
    events,
    daemon: () => {
      const life = { ended: false }
      const driver = new ScriptsDriver({
        clock: mortalClock(life),
        log,
        module: context,
        store: mortalStore(store, life),
        config,
        offered,
        programs: programs(`${directories.package}/bin`),
        installation: '/opt/holdfast',
      })
      return Object.assign(driver, {
        crash: () => {
          life.ended = true
        },
      })
    },
    script: async (name, body, mode = 0o755) => {
      const path = `${directories.package}/bin/${name}`
      const note = `note() { echo "$(basename "$0") $*" >>"${root}/notes"; }`
      await writeFile(path, `#!/bin/sh\n${note}\n${body}\n`)
      await chmod(path, mode)
    },
    notes: async () => linesOf(await readIfThere(`${root}/notes`)),
    remove: () => rm(root, { recursive: true, force: true }),
  }
}

export function transition(
  from: Transition['from'],
  to: Transition['to'],
  action: Transition['action'] = 'start',
): Transition {
  return { from, to, action, cause: 'test', generation: '1:n1' }
}

export const never = new AbortController().signal

export const realClock: Clock = {
  monotonicMs: () => Number(process.hrtime.bigint() / 1_000_000n),
  wallMs: () => Date.now(),
  after: (delayMs, call) => {
    const timer = setTimeout(call, delayMs)
    return () => {
      clearTimeout(timer)
    }
  },
  every: (periodMs, call) => {
    const timer = setInterval(call, periodMs)
    return () => {
      clearInterval(timer)
    }
  },
  cron: () => () => undefined,
}

interface Life {
  ended: boolean
}

function mortalClock(life: Life): Clock {
  return {
    ...realClock,
    after: (delayMs, call) =>
      realClock.after(delayMs, () => {
        if (!life.ended) call()
      }),
  }
}

function mortalStore(store: Store, life: Life): Store {
  const never = new Promise<never>(() => undefined)
  const mortal = (one: Omit<Store, 'volatile'>): Omit<Store, 'volatile'> => ({
    read: (name) => (life.ended ? never : one.read(name)),
    write: (name, value) => (life.ended ? never : one.write(name, value)),
    remove: (name) => (life.ended ? never : one.remove(name)),
  })
  return { ...mortal(store), volatile: mortal(store.volatile) }
}

/** JSON in memory: what a value looks like after it was on disk. */
function memoryStore(): Store {
  const make = (): Omit<Store, 'volatile'> => {
    const values = new Map<string, string>()
    return {
      read: <T>(name: string) => {
        const text = values.get(name)
        // The store's contract: the caller knows what it has written.
        return Promise.resolve(text === undefined ? undefined : (JSON.parse(text) as T))
      },
      write: (name, value) => {
        values.set(name, JSON.stringify(value))
        return Promise.resolve()
      },
      remove: (name) => {
        values.delete(name)
        return Promise.resolve()
      },
    }
  }
  return { ...make(), volatile: make() }
}

async function readIfThere(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '')
}

function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '')
}
