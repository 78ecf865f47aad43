/** Conditions over values that are there, missing, or not looked at yet. */
import type { ResourceValue } from '@holdfast/sdk'
import test from 'ava'
import { parseRules } from '../language/parser.js'
import { evaluate } from './evaluate.js'
import { changed } from './resource.js'
import type { Resource, Truth } from './types.js'

const truths: readonly (readonly [string, Readonly<Record<string, ResourceValue>>, Truth])[] = [
  ['a.x == down', { 'a.x': 'down' }, 'true'],
  ['a.x == down', { 'a.x': 'init' }, 'open'],
  ['a.x == down', {}, 'open'],
  ['a.x == down', { 'a.x': 'unknown' }, 'false'],
  ['a.x == init', { 'a.x': 'init' }, 'true'],
  ['a.x != up', { 'a.x': 'down' }, 'true'],
  ['a.? == down', {}, 'false'],
  ['a.* == down', {}, 'false'],
  ['a.? == down', { 'a.x': 'down', 'a.y': 'init' }, 'true'],
  ['a.? == down', { 'a.x': 'up', 'a.y': 'init' }, 'open'],
  ['a.* == down', { 'a.x': 'up', 'a.y': 'init' }, 'false'],
  ['a.* == down', { 'a.x': 'down', 'a.y': 'init' }, 'open'],
  ['a.* == down', { 'a.x': 'down', 'a.y': 'down', 'ab.z': 'up' }, 'true'],
  ['!a.x == down', { 'a.x': 'up' }, 'true'],
  ['a.x == down && a.y == down', { 'a.x': 'init', 'a.y': 'up' }, 'false'],
  ['a.x == down && a.y == down', { 'a.x': 'init', 'a.y': 'down' }, 'open'],
  ['a.x == down || a.y == down', { 'a.x': 'init', 'a.y': 'down' }, 'true'],
  ['a.x == a.y', { 'a.x': 'up', 'a.y': 'up' }, 'true'],
  ['a.x == remote.a.x', { 'a.x': 'up' }, 'false'],
  ['remote.a.x == unknown', {}, 'true'],
]

for (const [condition, values, truth] of truths) {
  test(`${condition} is ${truth} for ${JSON.stringify(values)}`, (t) => {
    const { rules } = parseRules(`r: if (${condition}) then wait();`)
    const at = { nowMs: 0, wallMs: 0 }
    const local = Object.entries(values).map(([name, value]): [string, Resource] => [
      name,
      changed(undefined, { name, value, cause: 'as told', by: 'test' }, at),
    ])
    const known = { local: new Map(local), remote: undefined }
    t.is(rules[0] === undefined ? undefined : evaluate(rules[0].condition, known).truth, truth)
  })
}
