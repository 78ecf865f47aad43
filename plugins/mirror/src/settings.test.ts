import test from 'ava'
import { check, machineConfig, type MirrorSettings } from './settings.js'

const heart = { timeout: 5_000, heartbeat: [] }
const service = {
  ...{ failover: true, defaultprim: 'alone', maxloop: 3, loop_interval: 24 },
  ...{ right_timeout: 3_000, takeover_delay: 5_000, syncdelta: 0 },
}
const bare = { nodes: ['a', 'b'], delays: { watchdogMs: 1_000 }, contributed: [] }
const witnessed = { ...bare, contributed: ['point.witness'] }

const isolated = (isolation: 'alone' | 'wait'): MirrorSettings => ({
  heart,
  service: { ...service, isolation },
})

test('delays under which two nodes could run the application, and words that contradict each other, are refused', (t) => {
  const times = { takeover_delay: 3_999, syncdelta: 60_000, isolation: 'wait' as const }
  const { errors } = check({ service: { ...service, ...times }, heart }, witnessed)
  t.deepEqual(
    errors.map(({ path }) => path),
    ['/service/syncdelta', '/service/takeover_delay'],
  )
})

test('without a witness nothing is configured before somebody says what isolation is to mean', (t) => {
  const { errors } = check({ service, heart }, bare)
  t.is(errors.length, 1)
  const message = errors[0]?.message ?? ''
  t.regex(message, /isolation="alone": .*both nodes run the application.*given up/)
  t.regex(message, /isolation="wait": .*no automatic failover.*holdfast prim/)
  t.regex(message, /Write <service mode="mirror" isolation="alone">/)
  const nothing = { errors: [], warnings: [] }
  t.deepEqual(check(isolated('alone'), bare), nothing)
  t.deepEqual(check(isolated('wait'), bare), nothing)
})

test('with a witness nobody is asked, and a node that does not reach it does not go on', (t) => {
  t.deepEqual(check({ service, heart }, witnessed), { errors: [], warnings: [] })
  const facts = { self: 'a', peer: 'b', hasWitness: true }
  t.is(machineConfig({ service, heart }, facts).isolation, 'wait')
  t.is(machineConfig(isolated('alone'), facts).isolation, 'alone')
})
