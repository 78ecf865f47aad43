/** The drawing of the mirror's machine is what the machine does. */
import { readFileSync } from 'node:fs'
import test from 'ava'
import { drawn, edges, observed } from './graph.js'

test('the roles change along the drawn lines and along no others', (t) => {
  t.deepEqual(observed(1_500), Object.keys(edges).sort())
})

test('docs/MIRROR.md shows the graph', (t) => {
  const text = readFileSync(new URL('../../../docs/MIRROR.md', import.meta.url), 'utf8')
  t.true(text.includes(drawn()), `docs/MIRROR.md should have:\n${drawn()}`)
})
