/** A resource agent of the distribution in place of start and stop scripts, on a pair, under load. */
import { signal, until } from '@holdfast/lab'
import test from 'ava'
import { patienceMs, withPair } from './given.js'

/** It has no scripts of its own: what starts and stops is the agent `anything`, which runs any program. */
const agent = (server: string): string => `
  <ocf ident="ledger" agent="heartbeat:anything" interval="1s">
    <param name="binfile" value="/usr/bin/env"/>
    <param name="cmdline_options"
      value="LEDGER_DIRECTORY=%DIRECTORY% LEDGER_PORT=%PORT% LEDGER_EVIDENCE=%EVIDENCE% ${server} /run/ledger.pid"/>
    <param name="pidfile" value="/run/anything-ledger.pid"/>
  </ocf>
`

test('an agent of resource-agents runs the application through death, power cut and swap', async (t) => {
  const server = '/etc/holdfast/modules/ledger/bin/ledger-server.mjs'
  const nothing = '#!/bin/sh\n'
  const options = {
    edit: (xml: string) => xml.replace('</service>', `${agent(server)}</service>`),
    scripts: { start_prim: nothing, stop_prim: nothing },
    prepare: 'mkdir -p /var/lib/holdfast/evidence',
  }
  await withPair(t, options, async (pair) => {
    const { n1, n2 } = pair
    const servers = (): Promise<readonly number[]> => n1.host.processes(pair.application.process)
    await pair.serves()
    const [before = 0] = await servers()
    signal(before, 'SIGKILL')
    await until(
      'its monitor has it started again',
      async () => {
        const [pid] = await servers()
        return pid !== undefined && pid !== before ? true : undefined
      },
      { timeoutMs: patienceMs },
    )
    await pair.is(n1, 'PRIM Ready')
    const history = await n1.mustRun(['resource', 'history', 'ocf.ledger', '-m', 'ledger'])
    t.regex(history, /down: it (failed|does not run)/)

    await n1.host.powerOff()
    await pair.is(n2, 'ALONE Ready')
    await pair.clientsGoOn()
    await pair.comesBack(n1)
    await pair.is(n1, 'SECOND Ready')
    await pair.is(n2, 'PRIM Ready')
    await n2.killDaemon()
    await n2.waitUntilItAnswers()
    await pair.is(n2, 'PRIM Ready')
    await pair.order(n2, 'swap')
    await pair.is(n1, 'PRIM Ready')
    await pair.is(n2, 'SECOND Ready')
    t.deepEqual(await n2.host.processes(pair.application.process), [], 'it still runs on n2')
    await pair.clientsGoOn()
    await pair.promisesHold(t)
  })
})
