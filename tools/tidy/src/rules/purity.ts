/**
 * What decides does not touch the world: no clock, no chance, no disk, no network, no waiting. Files named
 * decide.ts, files in a folder decide/, and every file that these import values from.
 */
import type { SourceFacts } from '../facts.js'
import type { Problem } from '../problem.js'
import { isTest } from './shared.js'

/** Functions and values of the sdk that are pure themselves. */
const pureNames = [
  'assert',
  'assertNever',
  'causeOfRule',
  'countLoop',
  'done',
  'isOverMaxloop',
  'isServing',
  'parseDuration',
  'refused',
]
const worldNames = ['Date', 'process', 'performance', 'console', 'fetch', 'crypto', 'globalThis']
const timerNames = ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'Promise']
const worldMembers = ['Math.random']

export function purityProblems(sources: readonly SourceFacts[]): Problem[] {
  const byPath = new Map(sources.map((source) => [source.path, source]))
  const roots = sources.filter(({ path }) => isDecision(path))
  const pure = new Map<string, string>()
  const waiting = roots.map((source) => ({ source, because: source.path }))
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (pure.has(next.source.path)) continue
    pure.set(next.source.path, next.because)
    for (const path of valueImportsOf(next.source)) {
      const source = byPath.get(path)
      if (source !== undefined) waiting.push({ source, because: next.because })
    }
  }
  return [...pure].flatMap(([path, because]) => {
    const source = byPath.get(path)
    return source === undefined ? [] : impurities(source, because)
  })
}

function isDecision(path: string): boolean {
  return /(^|\/)decide\.ts$|\/decide\/[^/]+\.ts$/.test(path) && !isTest(path)
}

function valueImportsOf(source: SourceFacts): string[] {
  return source.imports
    .filter(({ from, typeOnly }) => from.startsWith('.') && !typeOnly)
    .map(({ from }) => new URL(from, `file:///${source.path}`).pathname.slice(1))
    .map((path) => path.replace(/\.js$/, '.ts'))
}

function impurities(source: SourceFacts, because: string): Problem[] {
  const why = because === source.path ? 'this file decides' : `${because} decides with it`
  const problem = (line: number, what: string): Problem => ({
    rule: 'purity',
    path: source.path,
    line,
    message: `${what}, but ${why}; let the driver find it out and pass it as a fact`,
  })
  const worlds = [...worldNames, ...timerNames]
  return [
    ...source.imports
      .filter(({ from, typeOnly }) => !from.startsWith('.') && !typeOnly)
      .filter(({ from, names }) => !isPureImport(from, names))
      .map(({ from, line, names }) => problem(line, `it imports ${names.join(', ')} from ${from}`)),
    ...source.identifiers
      .filter(({ text }) => worlds.includes(text))
      .map(({ text, line }) => problem(line, `it uses ${text}`)),
    ...source.members
      .filter(({ text }) => worldMembers.includes(text))
      .map(({ text, line }) => problem(line, `it uses ${text}`)),
    ...source.awaits.map((line) => problem(line, 'it waits')),
  ]
}

function isPureImport(from: string, names: readonly string[]): boolean {
  return from === '@holdfast/sdk' && names.every((name) => pureNames.includes(name))
}
