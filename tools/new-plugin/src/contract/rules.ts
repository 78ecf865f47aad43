/** What every plugin keeps to, whoever wrote it. Each rule is a sentence that can be false. */
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { compileSchema } from '@holdfast/core'
import type { ContractWorld } from './world.js'

export interface Rule {
  readonly sentence: string
  /** Undefined: kept. Otherwise one sentence why not. */
  check(world: ContractWorld): Promise<string | undefined>
}

export const rules: readonly Rule[] = [
  {
    sentence: 'its manifest is valid, and its entry is there',
    check: (world) => Promise.resolve(world.problem),
  },
  {
    sentence: 'it has a README',
    check: async ({ directory }) =>
      (await exists(join(directory, 'README.md'))) ? undefined : 'there is no README.md',
  },
  {
    sentence: 'each of its settings is described',
    check: (world) => {
      const missing = settings(world.manifest().config, '').filter(
        ({ schema }) => !isDescribed(schema),
      )
      return Promise.resolve(
        listed(
          missing.map(({ path }) => path),
          'have no description',
        ),
      )
    },
  },
  {
    sentence: 'its schema refuses settings that it does not know',
    check: (world) => {
      const open = objects(world.manifest().config, '').filter(({ schema }) => !isClosed(schema))
      const names = open.map(({ path }) => (path === '' ? '/' : path))
      return Promise.resolve(listed(names, 'allow unknown settings'))
    },
  },
  {
    sentence: 'a configuration that is no object is refused',
    check: (world) => {
      const problems = compileSchema(world.manifest().config)('nonsense')
      return Promise.resolve(problems.length > 0 ? undefined : 'its schema takes a text')
    },
  },
  {
    sentence: 'it starts with its configuration, and gives only what its manifest says',
    check: async (world) => {
      const run = await world.run()
      const verdict = await run.start()
      await run.stop()
      return verdict.ok ? undefined : `${verdict.reason}  [${verdict.code}]`
    },
  },
  {
    sentence: 'a second after it was stopped, no timer and no handler of it is left',
    check: async (world) => {
      const run = await world.run()
      if (!(await run.start()).ok) return undefined // Told by the rule before.
      const stopped = await run.stop()
      if (!stopped.ok) return stopped.reason
      await run.clock.pass(1_000) // What was about to happen anyway may happen.
      const handlers = run.network.node('n1').pending
      if (run.clock.pending + handlers === 0) return undefined
      return `${String(run.clock.pending)} timers and ${String(handlers)} handlers are left`
    },
  },
  {
    sentence: 'it starts and stops again and again, and offers the same each time',
    check: async (world) => {
      const offers = new Set<string>()
      for (let turn = 0; turn < 3; turn++) {
        const run = await world.run()
        const verdict = await run.start()
        const { contributes } = world.manifest()
        offers.add(JSON.stringify(contributes.map((id) => run.contributed(id))))
        const stopped = await run.stop()
        if (!verdict.ok) return `start ${String(turn + 1)}: ${verdict.reason}`
        if (!stopped.ok) return `stop ${String(turn + 1)}: ${stopped.reason}`
      }
      return offers.size === 1 ? undefined : `it offered ${[...offers].join(', then ')}`
    },
  },
  {
    sentence: 'each of its checkers starts and stops, and reports nothing afterwards',
    check: async (world) => {
      if (world.manifest().process === true) return undefined // It lives in real time.
      const run = await world.run()
      if (!(await run.start()).ok) return undefined // Told by a rule before.
      const late: string[] = []
      for (const [name, own] of run.checkers()) {
        let isStopped = false
        await own.start((value) => {
          if (isStopped) late.push(`${name} reports ${value} after its stop`)
        })
        await run.clock.pass(1_000)
        await own.stop()
        isStopped = true
      }
      await run.clock.pass(60_000)
      await run.stop()
      if (run.clock.pending > 0) late.push(`${String(run.clock.pending)} timers are left`)
      return late.length === 0 ? undefined : late.join(', ')
    },
  },
  {
    sentence: 'a store that fails lets it start or fail in time, and nothing of it is left',
    check: async (world) => {
      const run = await world.run({ storeFails: true })
      const verdict = await run.start()
      if (!verdict.ok && verdict.code === 'E_TIMEOUT') return verdict.reason
      await run.stop()
      const left = run.clock.pending + run.network.node('n1').pending
      return left === 0 ? undefined : `${String(left)} timers or handlers are left`
    },
  },
]

interface Place {
  readonly path: string
  readonly schema: Readonly<Record<string, unknown>>
}

/** Every place of a schema that holds a value of its own. */
function settings(schema: unknown, path: string): readonly Place[] {
  const below = children(schema, path)
  const own = path === '' || below.length > 0 ? [] : [{ path, schema: entries(schema) }]
  return [...own, ...below.flatMap((child) => settings(child.schema, child.path))]
}

function objects(schema: unknown, path: string): readonly Place[] {
  const own = entries(schema)
  const isObject = own['type'] === 'object' || own['properties'] !== undefined
  const below = children(schema, path).flatMap((child) => objects(child.schema, child.path))
  return [...(isObject ? [{ path, schema: own }] : []), ...below]
}

function children(schema: unknown, path: string): readonly Place[] {
  const { properties, items } = entries(schema)
  const named = Object.entries(entries(properties)).map(([name, value]) => ({
    path: `${path}/${name}`,
    schema: entries(value),
  }))
  return items === undefined ? named : [...named, ...children(items, path)]
}

/** What its values mean may also be told by a list of them that speaks for itself. */
function isDescribed(schema: Readonly<Record<string, unknown>>): boolean {
  return typeof schema['description'] === 'string' || schema['enum'] !== undefined
}

function isClosed(schema: Readonly<Record<string, unknown>>): boolean {
  return schema['additionalProperties'] === false
}

function listed(paths: readonly string[], what: string): string | undefined {
  return paths.length === 0 ? undefined : `${paths.join(', ')} ${what}`
}

function entries(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path)
    return true
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return false
    throw thrown
  }
}
