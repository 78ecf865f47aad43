/** The repository keeps its house rules, and each rule catches what it is for. */
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import test from 'ava'

import { findProblems } from './index.js'
import { type Ratchet, readRatchet, readRepository } from './repository.js'
import { shrink } from './rules/sizes.js'

const home = join(dirname(fileURLToPath(import.meta.url)), '..')

test('the repository keeps its house rules', (t) => {
  const repository = readRepository(join(home, '../..'))
  t.true(repository.sources.length > 100, 'the sources are found')
  const { problems } = findProblems(repository, readRatchet(join(home, 'ratchet.json')))
  t.deepEqual(
    problems.map(({ path, line, message }) => `${path}:${String(line)}: ${message}`),
    [],
  )
})

const caught: readonly [what: string, path: string, text: string, rule: string][] = [
  ['core imports a plugin', 'core/src/a.ts', `import { x } from '@holdfast/plugin-one'`, 'layers'],
  ['core imports one lazily', 'core/src/a.ts', `await import('@holdfast/plugin-one')`, 'layers'],
  ['a plugin imports a plugin', 'plugins/one/src/a.ts', `import '@holdfast/plugin-two'`, 'layers'],
  ['a plugin imports core', 'plugins/one/src/a.ts', `import { x } from '@holdfast/core'`, 'layers'],
  [
    'a path leaves the package',
    'plugins/one/src/a.ts',
    `import '../../../core/src/b.js'`,
    'layers',
  ],
  ['a library is not declared', 'plugins/one/src/a.ts', `import { x } from 'left-pad'`, 'layers'],
  ['core names a plugin', 'core/src/a.ts', `export const topology = 'one'`, 'layers'],
  ['a decision reads the clock', 'core/src/decide.ts', `export const at = Date.now()`, 'purity'],
  ['a decision throws dice', 'core/src/decide.ts', `export const n = Math.random()`, 'purity'],
  ['a decision waits', 'core/src/decide.ts', `export async function f(x) { await x }`, 'purity'],
  ['a decision starts a timer', 'core/src/decide/a.ts', `setTimeout(f, 1)`, 'purity'],
  [
    'a decision reads files',
    'core/src/decide.ts',
    `import { readFileSync } from 'node:fs'`,
    'purity',
  ],
  [
    'a decision takes a service',
    'core/src/decide.ts',
    `import { clock } from '@holdfast/sdk'`,
    'purity',
  ],
  [
    'a function is long',
    'core/src/a.ts',
    `function f() {\n${'g()\n'.repeat(60)}}`,
    'function-lines',
  ],
  [
    'a method is long',
    'core/src/a.ts',
    `class A { f() {\n${'g()\n'.repeat(60)}} }`,
    'function-lines',
  ],
  ['a file is long', 'core/src/a.ts', 'f()\n'.repeat(401), 'file-lines'],
  ['an assertion has no reason', 'core/src/a.ts', `const a = b as C`, 'bare-assertions'],
  ['any is used', 'core/src/a.ts', `const a: any = 1`, 'any'],
  ['the compiler is silenced', 'core/src/a.ts', `// @ts-ignore\nf()`, 'any'],
  ['an export has no name', 'core/src/a.ts', `export default 1`, 'default-export'],
  [
    'a function is exported without name',
    'core/src/a.ts',
    `export default function () {}`,
    'default-export',
  ],
  ['a note has no issue', 'core/src/a.ts', `// ${'TO' + 'DO'}: later`, 'notes'],
  ['a path is private', 'core/src/a.ts', ['const a = "', 'home', 'me"'].join('/'), 'paths'],
]

for (const [what, path, text, rule] of caught) {
  test(`it is caught when ${what}`, (t) => {
    const { problems } = findProblems(withSources({ [path]: text }), {})
    t.deepEqual(
      problems.map((one) => one.rule),
      [rule],
    )
  })
}

const fine: readonly [what: string, path: string, text: string][] = [
  [
    'types of the world in a decision',
    'core/src/decide.ts',
    `import type { Stats } from 'node:fs'`,
  ],
  ['pure words of the sdk', 'core/src/decide.ts', `import { assertNever } from '@holdfast/sdk'`],
  [
    'a member named like a clock',
    'core/src/decide.ts',
    `export const f = (a) => a.Date + a.process`,
  ],
  ['a declared library', 'plugins/one/src/a.ts', `import { x } from 'fine/sub'`],
  ['an assertion with its reason', 'core/src/a.ts', `const a = b as C // Checked above.`],
  ['an assertion explained above', 'core/src/a.ts', `// Checked above.\nconst a = b as C`],
  ['as const', 'core/src/a.ts', `const a = [1] as const`],
  ['a note with its issue', 'core/src/a.ts', `// ${'TO' + 'DO'} #7: later`],
  ['a plugin that names itself', 'plugins/one/src/a.ts', `export const id = 'one'`],
]

for (const [what, path, text] of fine) {
  test(`it is allowed: ${what}`, (t) => {
    t.deepEqual(findProblems(withSources({ [path]: text }), {}).problems, [])
  })
}

test('a file that a decision imports values from must be pure too', (t) => {
  const decide = `import { next } from './next.js'\nexport const step = next`
  const next = `export const next = () => Date.now()`
  const withValue = withSources({ 'core/src/decide.ts': decide, 'core/src/next.ts': next })
  const { problems } = findProblems(withValue, {})
  t.is(problems.length, 1)
  t.is(problems[0]?.path, 'core/src/next.ts')
  const withType = decide.replace('import {', 'import type {')
  const onlyTypes = withSources({ 'core/src/decide.ts': withType, 'core/src/next.ts': next })
  t.deepEqual(findProblems(onlyTypes, {}).problems, [])
})

test('a library has one importing file in each package', (t) => {
  const text = `import { x } from 'fine'`
  const twice = { 'plugins/one/src/a.ts': text, 'plugins/one/src/b.ts': text }
  const { problems } = findProblems(withSources(twice), {})
  t.deepEqual(
    problems.map((one) => [one.rule, one.path]),
    [['libraries', 'plugins/one/src/b.ts']],
  )
  const each = { 'plugins/one/src/a.ts': text, 'plugins/two/src/a.ts': text }
  t.deepEqual(findProblems(withSources(each), {}).problems, [])
  const inTest = { 'plugins/one/src/a.ts': text, 'plugins/one/src/b.test.ts': text }
  t.deepEqual(findProblems(withSources(inTest), {}).problems, [])
})

test('the list of old sins lets them be, and never lets them grow', (t) => {
  const sources = { 'core/src/a.ts': 'f()\n'.repeat(410) }
  const allowed = (lines: number): Ratchet => ({ 'file-lines': { 'core/src/a.ts': lines } })
  t.is(findProblems(withSources(sources), allowed(410)).problems.length, 0)
  t.is(findProblems(withSources(sources), allowed(409)).problems.length, 1)
})

test('the list shrinks and never grows', (t) => {
  const allowed = { 'file-lines': { better: 500, worse: 500, gone: 500 } }
  const found = { 'file-lines': { better: 450, worse: 600, fresh: 700 } }
  t.deepEqual(shrink(allowed, found), { 'file-lines': { better: 450, worse: 500 } })
})

function withSources(sources: Readonly<Record<string, string>>) {
  const dependencies = ['@holdfast/sdk', 'fine']
  const packages = ['core', 'plugins/one', 'plugins/two'].map((path) => ({ path, dependencies }))
  const files = Object.entries(sources).map(([path, text]) => ({ path, text }))
  return { packages, sources: files, texts: [], pluginIds: ['one', 'two'] }
}
