/** A primary that got no right to go on and does not stop its application in time is ended before the other one begins. */
import { readFile } from 'node:fs/promises'
import test from 'ava'
import { monotonicMs, watchdogDevice } from '@holdfast/lab'
import { withWitness } from './witnessed.js'

/** Long enough for a daemon that is late on a busy machine. */
const watchdogSeconds = 8
/** The right, the watchdog and the jitter: what `module config` asks for at least. */
const times = 'right_timeout="1s" takeover_delay="10s"'
const element = `<watchdog mode="required" device="${watchdogDevice}" timeout="8s"/>`

const stopScript = new URL('../../../modules-registry/ledger/bin/stop_prim', import.meta.url)
/** While this file is there, the stop script hangs. It does not survive a reset. */
const stuck = '/run/stuck'

const edit = (xml: string): string =>
  xml.replace('mode="mirror"', `mode="mirror" ${times}`).replace('<heart ', `${element}<heart `)

test('a primary that is cut off and whose stop script hangs is reset before the other one starts the application', async (t) => {
  const usual = await readFile(stopScript, 'utf8')
  const scripts = { stop_prim: `#!/bin/sh\n[ ! -e ${stuck} ] || exec sleep 600\n${usual}` }
  await withWitness(
    t,
    async ({ pair }) => {
      await pair.n1.host.mustRun(['touch', stuck])
      const cutMs = monotonicMs()
      await pair.lab.network.cut({ host: 'n1' })
      await pair.answeredBy(pair.n2, cutMs)
      t.is(pair.n1.host.resets, 1)
      // Its cables are new with the next start.
      await pair.comesBack(pair.n1)
      await pair.is(pair.n1, 'SECOND Ready')
      await pair.is(pair.n2, 'PRIM Ready')
      await pair.promisesHold(t)
    },
    { edit, scripts, lab: { watchdogSeconds } },
  )
})

test('a primary that is cut off and stops in time is not reset, and the application never runs twice', async (t) => {
  await withWitness(
    t,
    async ({ pair }) => {
      const cutMs = monotonicMs()
      await pair.lab.network.cut({ host: 'n1' })
      await pair.answeredBy(pair.n2, cutMs)
      t.is(pair.n1.host.resets, 0)
      await pair.lab.network.heal({ host: 'n1' })
      await pair.is(pair.n1, 'SECOND Ready')
      await pair.is(pair.n2, 'PRIM Ready')
      await pair.promisesHold(t)
    },
    { edit, lab: { watchdogSeconds } },
  )
})
