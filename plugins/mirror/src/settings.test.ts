import test from 'ava'
import { check, machineConfig } from './settings.js'

test('delays under which two nodes could run the application, and words that contradict each other, are refused', (t) => {
  const times = { right_timeout: 3_000, takeover_delay: 3_999, syncdelta: 60_000 }
  const rest = { failover: true, defaultprim: 'alone', maxloop: 3, loop_interval: 24 }
  const service = { ...rest, ...times, isolation: 'wait' as const }
  const heart = { timeout: 5_000, heartbeat: [] }
  const context = { nodes: ['a', 'b'], delays: { watchdogMs: 1_000 } }
  const { errors } = check({ service, heart }, context)
  t.deepEqual(
    errors.map(({ path }) => path),
    ['/service/takeover_delay', '/service/syncdelta'],
  )
  t.regex(errors[0]?.message ?? '', /at least 4000 ms/)
})

test('what isolation means is said when nobody chose it, and only then', (t) => {
  const times = { right_timeout: 3_000, takeover_delay: 5_000, syncdelta: 0 }
  const service = { failover: true, defaultprim: 'alone', maxloop: 3, loop_interval: 24, ...times }
  const heart = { timeout: 5_000, heartbeat: [] }
  const facts = { self: 'a', peer: 'b' }
  const context = { nodes: ['a', 'b'], delays: { watchdogMs: 1_000 } }
  t.is(check({ service, heart }, context).warnings.length, 1)
  for (const isolation of ['alone', 'wait'] as const) {
    const settings = { service: { ...service, isolation }, heart }
    t.deepEqual(check(settings, context), { errors: [], warnings: [] })
    t.is(machineConfig(settings, { ...facts, hasWitness: true }).isolation, isolation)
  }
  t.is(machineConfig({ service, heart }, { ...facts, hasWitness: true }).isolation, 'wait')
  t.is(machineConfig({ service, heart }, { ...facts, hasWitness: false }).isolation, 'alone')
})
