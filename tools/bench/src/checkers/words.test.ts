import test from 'ava'
import { checkerFaults } from './faults.js'
import { matrixLine, matrixTable, withMatrix } from './words.js'

const [fault] = checkerFaults
if (fault === undefined) throw new Error('there are no faults')
const row = {
  ...{ fault, rule: 't_web', action: 'restart', cause: 'rule t_web: tcp.web is down (a | b)' },
  ...{ medianMs: 1_234.5, leastMs: 900, mostMs: 1_449, rounds: 3 },
}

test('a row tells action, rule, cause and times, and one that could not be measured says why', (t) => {
  const lines = matrixTable([row, { fault, impossible: 'no bond here' }]).split('\n')
  t.is(lines.length, 4)
  t.regex(
    lines[2] ?? '',
    /restart \(t_web\) \| tcp\.web is down \(a \\\| b\) \| 1\.2 s \| 0\.9 s – 1\.4 s/,
  )
  t.regex(lines[3] ?? '', /not measured: no bond here/)
  t.like(JSON.parse(matrixLine(row)), { action: 'restart', medianMs: 1_235, range: [900, 1_449] })
})

test('the table takes the place of the one before, and a document without that place stays as it is', (t) => {
  const document = `before\n<!-- fault matrix: written by npm run bench -- checkers --docs -->\n\n<!-- end of the fault matrix -->\nafter\n`
  const once = withMatrix(document, '| a |') ?? ''
  t.regex(once, /^before\n<!--.*-->\n\n\| a \|\n\n<!-- end.*-->\nafter\n$/)
  t.is(withMatrix(once, '| a |'), once)
  t.is(withMatrix('nothing', '| a |'), undefined)
})

test('every fault has a name of its own that a module can have', (t) => {
  const names = checkerFaults.map(({ name }) => name)
  t.is(new Set(names).size, names.length)
  for (const name of names) t.regex(name, /^[a-z][a-z0-9-]*$/)
})
