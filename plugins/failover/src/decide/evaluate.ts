/**
 * Is a condition true? There are three answers: `open` as long as a resource that nobody looked at yet could decide
 * it, so `tcp.? == down` is true when one is down, whatever the others will be.
 */
import type { ResourceValue } from '@holdfast/sdk'
import type { Condition, ResourceName } from '../language/rule.js'
import { isWild, textOf } from '../language/rule.js'
import type { Evaluation, Input, Resource, State, Truth } from './types.js'

export type Known = Pick<State, 'local' | 'remote'>

export function evaluate(condition: Condition, known: Known): Evaluation {
  switch (condition.kind) {
    case 'compare':
      return isWild(condition.resource)
        ? compareAll(condition, known)
        : compareOne(condition, known)
    case 'not': {
      const inner = evaluate(condition.of, known)
      return { truth: negated[inner.truth], because: inner.because }
    }
    case 'and':
      return joined(condition, known, 'false')
    case 'or':
      return joined(condition, known, 'true')
  }
}

const negated: Readonly<Record<Truth, Truth>> = { true: 'false', false: 'true', open: 'open' }

/** `decisive`: one side with this truth decides alone. */
function joined(
  condition: Extract<Condition, { kind: 'and' | 'or' }>,
  known: Known,
  decisive: Truth,
): Evaluation {
  const sides = [evaluate(condition.left, known), evaluate(condition.right, known)]
  const truth =
    [decisive, 'open' as const].find((one) => sides.some((side) => side.truth === one)) ??
    negated[decisive]
  const because = sides.filter((side) => side.truth === truth).flatMap((side) => side.because)
  return { truth, because: distinct(because) }
}

type Comparison = Extract<Condition, { kind: 'compare' }>

function compareOne(condition: Comparison, known: Known): Evaluation {
  const left = inputOf(condition.resource, known)
  if (typeof condition.with === 'string') {
    return { truth: compared(left.value, condition.equal, condition.with), because: [left] }
  }
  const right = inputOf(condition.with, known)
  const isOpen = left.value === 'init' || right.value === 'init'
  const truth = isOpen ? 'open' : compared(left.value, condition.equal, right.value)
  return { truth, because: distinct([left, right]) }
}

/** Of none, neither one nor all is anything. */
function compareAll(condition: Comparison, known: Known): Evaluation {
  const { resource, equal } = condition
  const inputs = membersOf(resource, known)
  if (typeof condition.with !== 'string' || inputs.length === 0)
    return { truth: 'false', because: [] }
  const value = condition.with
  const truths = inputs.map((input) => compared(input.value, equal, value))
  const decisive: Truth = resource.id === '?' ? 'true' : 'false'
  const truth = [decisive, 'open' as const].find((one) => truths.includes(one)) ?? negated[decisive]
  return { truth, because: inputs.filter((_, index) => truths[index] === truth) }
}

function compared(value: ResourceValue, equal: boolean, literal: ResourceValue): Truth {
  if (value === 'init' && literal !== 'init') return 'open'
  return (value === literal) === equal ? 'true' : 'false'
}

function inputOf(name: ResourceName, known: Known): Input {
  const key = `${name.class}.${name.id}`
  if (name.side === 'local') return { name: key, value: known.local.get(key)?.value ?? 'init' }
  if (known.remote === undefined) return { name: textOf(name), value: 'unknown' }
  return { name: textOf(name), value: known.remote.get(key)?.value ?? 'init' }
}

function membersOf(name: ResourceName, known: Known): readonly Input[] {
  const side: ReadonlyMap<string, Resource> =
    (name.side === 'local' ? known.local : known.remote) ?? new Map()
  const before = name.side === 'local' ? '' : 'remote.'
  return [...side.values()]
    .filter((resource) => resource.name.startsWith(`${name.class}.`))
    .map((resource) => ({ name: `${before}${resource.name}`, value: resource.value }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

function distinct(inputs: readonly Input[]): readonly Input[] {
  return [...new Map(inputs.map((input) => [input.name, input])).values()]
}
