/**
 * Scenario files: what is done to a pair, and what must be seen then, in the words of an operator. With `update` the
 * expected part is rewritten with what was seen.
 *
 *   # why this file exists
 *   given witness none, isolation alone     first line; see `givens`; `seed 7` for one fall of the delays
 *   pair                                    forms a pair whose primary is a
 *   power off a                             any line of verbs.ts
 *   expect a PRIM Ready, b SECOND Ready
 *   expect hint b start the module on a     what the state tells the operator to do
 *   expect answer E_MIRROR_PEER_SERVES      of the last command; `done` when it was accepted
 *   expect runs a                           who runs the application: a, b, nobody, both
 *   expect lost 0                           acknowledged writes that whoever serves does not have
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { shownOf } from '@holdfast/plugin-mirror'
import { HoldfastError } from '@holdfast/sdk'
import { form } from './history.js'
import { type NodeName, nodeNames } from './node.js'
import { plainSetting, type Setting } from './setting.js'
import { perform } from './verbs.js'
import type { Mutation } from './mutants.js'
import { World } from './world.js'

export interface ScenarioResult {
  /** Each expected line that was not so, with what was seen. */
  readonly differences: readonly string[]
  /** The file as it would be if all expected lines were as seen. */
  readonly updated: string
  readonly trace: readonly string[]
}

export function runScenarioFile(path: string, update: boolean): ScenarioResult {
  const result = runScenario(readText(path, 'scenario files are in test/scenarios'))
  if (update && result.differences.length > 0) writeFileSync(path, result.updated)
  return result
}

/** Throws E_SIM_FILE. */
export function readText(path: string, hint: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'ENOENT') throw error
    throw new HoldfastError('E_SIM_FILE', `${path}: there is no such file`, {
      hint,
      cause: error,
    })
  }
}

export function runScenario(text: string, mutation: Mutation = {}): ScenarioResult {
  const lines = text.split('\n')
  const given = lines.find((line) => line.startsWith('given '))
  const world = new World({
    seed: Number(/\bseed (\d+)/.exec(given ?? '')?.[1] ?? 1),
    setting: settingFrom(given),
    traced: true,
    ...mutation,
  })
  world.clientsWrite = false
  const differences: string[] = []
  const updated = lines.map((raw, index) => {
    const line = raw.trim()
    if (line === '' || line.startsWith('#') || line.startsWith('given ')) return raw
    if (!line.startsWith('expect ')) {
      carryOut(world, line, index + 1)
      return raw
    }
    const seen = seenFor(world, line, index + 1)
    if (seen !== line) differences.push(`line ${index + 1}: "${line}", but it is "${seen}"`)
    return seen
  })
  const { violation } = world.promises
  if (violation !== undefined) differences.push(`a promise was broken: ${violation}`)
  return { differences, updated: updated.join('\n'), trace: world.trace?.lines ?? [] }
}

function carryOut(world: World, line: string, number: number): void {
  world.note('', `> ${line}`)
  if (line === 'pair') {
    form(world)
    return
  }
  try {
    perform(world, line)
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error
    throw new HoldfastError(error.code, `line ${number}: ${error.message}`, { cause: error })
  }
}

/** The expected line as it would have to be. */
function seenFor(world: World, line: string, number: number): string {
  const [, what = '', node = ''] = line.split(' ')
  const name = nodeNames.find((one) => one === node)
  if (what === 'answer') {
    const { answer } = world
    const seen = answer === undefined ? 'none' : answer.ok ? 'done' : answer.code
    return `expect answer ${seen}`
  }
  if (what === 'runs') return `expect runs ${runners(world)}`
  if (what === 'lost') return `expect lost ${lost(world)}`
  if (what === 'hint' && name !== undefined) {
    return `expect hint ${name} ${world.state(name).hint ?? 'none'}`
  }
  if (what === 'cause' && name !== undefined)
    return `expect cause ${name} ${world.state(name).cause}`
  if (what === 'a' || what === 'b') {
    const asked = line.slice('expect '.length).split(', ')
    return `expect ${asked.map((one) => shownAs(world, one)).join(', ')}`
  }
  throw new HoldfastError('E_SIM_LINE', `line ${number}: "${line}" expects nothing known`, {
    hint: 'expect a PRIM Ready, b SECOND Ready | hint a … | cause a … | answer … | runs … | lost …',
  })
}

function shownAs(world: World, asked: string): string {
  const name: NodeName = asked.startsWith('b') ? 'b' : 'a'
  const { role, sub } = shownOf(world.state(name))
  return world.node(name).powered ? `${name} ${role} ${sub}` : `${name} off`
}

function runners(world: World): string {
  const running = nodeNames.filter((name) => world.runs(name))
  return running.length === 2 ? 'both' : (running[0] ?? 'nobody')
}

function lost(world: World): number {
  const serving = nodeNames.filter((name) => world.runs(name))
  return serving.reduce((most, name) => Math.max(most, world.promises.lostOn(name)), 0)
}

type Given = (setting: Setting, value: string) => Setting | undefined

const givens: Readonly<Record<string, Given>> = {
  // Which of all ways that the delays may fall; read where the world is made.
  seed: (setting, value) => (/^\d+$/.test(value) ? setting : undefined),
  witness: (setting, value) =>
    value === 'none' || value === 'exclusive' ? { ...setting, witness: value } : undefined,
  isolation: (setting, value) =>
    value === 'alone' || value === 'wait' ? { ...setting, isolation: value } : undefined,
  defaultprim: (setting, value) =>
    value === 'alone' || value === 'lastprim' || value === 'a' || value === 'b'
      ? { ...setting, defaultprim: value }
      : undefined,
  failover: (setting, value) =>
    value === 'on' || value === 'off' ? { ...setting, failover: value === 'on' } : undefined,
  maxloop: (setting, value) =>
    /^\d+$/.test(value) ? { ...setting, maxloop: Number(value) } : undefined,
  syncdelta: (setting, value) =>
    /^\d+s$/.test(value) ? { ...setting, syncdeltaMs: Number.parseInt(value) * 1_000 } : undefined,
}

function settingFrom(given: string | undefined): Setting {
  if (given === undefined) return plainSetting
  let setting = plainSetting
  for (const part of given.slice('given '.length).split(', ')) {
    const [name = '', value = ''] = part.trim().split(' ')
    const changed = givens[name]?.(setting, value)
    if (changed === undefined) {
      throw new HoldfastError('E_SIM_LINE', `"${part}" can't be given`, {
        hint: `known are: ${Object.keys(givens).join(', ')}`,
      })
    }
    setting = changed
  }
  return setting
}
