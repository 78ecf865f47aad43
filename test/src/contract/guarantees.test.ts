/** docs/GUARANTEES.md names what the simulator checks, line by line, and nothing that it does not check. */
import { readdirSync, readFileSync } from 'node:fs'
import test from 'ava'

const repository = new URL('../../../', import.meta.url)
const simulator = new URL('test/src/sim/', repository)
/** Folders are named after their machines; what lies beside them is the mirror's. */
const machineOf = (path: string): string =>
  path.includes('/') ? path.split('/', 1).join() : 'mirror'

/** Every sentence with which a history is broken off, its variable parts as `…`. */
function checks(): string[] {
  const found = new Set<string>()
  for (const path of readdirSync(simulator, { recursive: true, encoding: 'utf8' })) {
    if (!path.endsWith('.ts') || /\.test\.ts$|mutants\.ts$/.test(path)) continue
    const source = readFileSync(new URL(path, simulator), 'utf8')
    for (const [, template, plain] of source.matchAll(/violated\(\s*(?:`([^`]*)`|'([^']*)')/g)) {
      const sentence = (template ?? plain ?? '').replaceAll(/\$\{[^}]*\}/g, '…')
      // A name put before somebody else's sentence is no sentence.
      if (sentence !== '…: …') found.add(`${machineOf(path)} | ${sentence}`)
    }
  }
  return [...found].sort()
}

function rows(): (readonly [string, string])[] {
  const text = readFileSync(new URL('docs/GUARANTEES.md', repository), 'utf8')
  const [, table = ''] = text.split('### What the simulator must never see')
  return table
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .slice(2)
    .map((line) => {
      const [, promise = '', machine = '', sentence = ''] = line
        .split('|')
        .map((cell) => cell.trim())
      return [promise, `${machine} | ${sentence}`] as const
    })
}

test('the table of the guarantees has every check of the simulator, and only those', (t) => {
  const [checked, written] = [checks(), rows().map(([, row]) => row)]
  t.true(checked.length > 30)
  t.deepEqual(
    written.toSorted(),
    checked,
    'docs/GUARANTEES.md, "What the simulator must never see"',
  )
})

test('each check of the simulator stands for a promise that the document makes', (t) => {
  const text = readFileSync(new URL('docs/GUARANTEES.md', repository), 'utf8')
  for (const [promise, row] of rows()) {
    const names = promise.split(', ')
    const unknown = names.filter((name) => !text.includes(`**${name}. `))
    t.deepEqual(unknown, [], row)
  }
})
