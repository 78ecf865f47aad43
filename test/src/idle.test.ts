import test from 'ava'
import { idleShare, usage } from './idle.js'

test('the idle share is of the time between two looks', (t) => {
  t.is(idleShare({ idle: 100, all: 1_000 }, { idle: 150, all: 1_100 }), 0.5)
  t.is(idleShare({ idle: 100, all: 1_000 }, { idle: 100, all: 1_100 }), 0)
  t.is(idleShare({ idle: 100, all: 1_000 }, { idle: 100, all: 1_000 }), 0)
})

test('what the machine says of itself grows', (t) => {
  const { idle, all } = usage()
  t.true(all > idle && idle > 0)
})
