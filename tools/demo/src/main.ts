#!/usr/bin/env node
/** `npm run demo`: builds two nodes and a client on this machine, tells the story, and judges it. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import {
  type Application,
  duplicatedRunners,
  Lab,
  LabError,
  ledger,
  lostEntries,
  postgresql,
} from '@holdfast/lab'
import { type DemoOptions, parseOptions, usage } from './options.js'
import { type Evidence, Story } from './story.js'
import { Terminal } from './terminal.js'

const setupScript = fileURLToPath(new URL('../../setup.sh', import.meta.url))
const labProgram = 'node tools/lab/dist/main.js'

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args)
  if (options === undefined) {
    console.log(usage)
    return 0
  }
  const app = options.app === 'ledger' ? ledger : postgresql
  if (options.app === 'postgresql') installPostgresql()
  const terminal = new Terminal()
  terminal.step('Lab', 'two nodes and a client on a bridge, each with its own disks and network')
  const lab = await Lab.create()
  lab.removeOnInterrupt()
  terminal.event(`lab ${lab.id}: n1, n2 and c1 are on`)
  const story = new Story(lab, app, terminal)
  try {
    const evidence = await story.tell(options.timeout)
    if (options.keep) {
      await lab.keep()
      explainKept(lab, app)
    } else {
      await story.stop()
    }
    return judge(evidence, app, options, terminal)
  } catch (error) {
    if (!(error instanceof LabError)) throw error
    terminal.event(terminal.paint('red', error.message))
    await explainFailure(lab, options)
    if (options.json) console.log(JSON.stringify({ error: error.message.split('\n')[0] }))
    return 1
  } finally {
    await story.end()
    if (!options.keep) await lab.remove()
  }
}

function installPostgresql(): void {
  const setup = spawnSync('sh', [setupScript, 'postgresql'], { stdio: 'inherit' })
  if (setup.status !== 0) throw new LabError('PostgreSQL could not be installed, see above')
}

function judge(
  evidence: Evidence,
  app: Application,
  options: DemoOptions,
  terminal: Terminal,
): number {
  const lost = lostEntries(evidence.acknowledged, evidence.copies)
  const duplicated = duplicatedRunners(evidence.runners)
  const bothRan = ['n1', 'n2'].every((node) => evidence.runners.some((run) => run.node === node))
  const checkIsClean = evidence.check?.clean ?? true
  const { failoverMs, failbackMs, swapMs, resyncBytes, replicasIdentical, states } = evidence
  const acknowledged = evidence.acknowledged.length
  terminal.table([
    ['acknowledged entries', String(acknowledged), acknowledged > 0],
    ['of these lost', String(lost.length), lost.length === 0],
    ['runs of the application', String(evidence.runners.length), bothRan],
    ['at the same time', String(duplicated.length), duplicated.length === 0],
    ['replicas identical', replicasIdentical ? 'yes' : 'NO', replicasIdentical],
    ...(evidence.check === undefined
      ? []
      : [[evidence.check.name, checkIsClean ? 'clean' : 'NOT clean', checkIsClean] as const]),
    ['failover', `${failoverMs} ms`, undefined],
    ['failback', `${failbackMs} ms`, undefined],
    ['swap', `${swapMs} ms`, undefined],
    ['copied at failback', `${resyncBytes} bytes`, undefined],
  ])
  if (!replicasIdentical) console.log(`\n${evidence.differences}`)
  if (lost.length > 0) console.log(`\nlost: ${lost.slice(0, 20).join(' ')}`)
  const good =
    acknowledged > 0 &&
    lost.length === 0 &&
    bothRan &&
    duplicated.length === 0 &&
    replicasIdentical &&
    checkIsClean
  console.log(
    `\n${good ? terminal.paint('green', 'Held fast.') : terminal.paint('red', 'FAILED.')}`,
  )
  if (options.json) {
    const measured = { failoverMs, failbackMs, swapMs, resyncBytes, replicasIdentical }
    const counts = { acknowledged, lost: lost.length, duplicatedRunners: duplicated.length }
    const check = evidence.check === undefined ? {} : { checkClean: checkIsClean }
    console.log(JSON.stringify({ ...counts, ...measured, ...check, app: app.name, states }))
  }
  return good ? 0 : 1
}

function explainKept(lab: Lab, app: Application): void {
  console.log(`
The cluster stays. To use it:
  ${labProgram} exec ${lab.id} n1 holdfast state
  ${labProgram} shell ${lab.id} n1              then: holdfast state -v, holdfast swap -m ${app.name}, …
  ${labProgram} off ${lab.id} n1                a power cut; "on" is the contrary
  ${labProgram} exec ${lab.id} n1 sh -c 'cat > /srv/FILE' < FILE     a file of yours; the nodes have disks of their own
To remove it:
  ${labProgram} down ${lab.id}`)
}

async function explainFailure(lab: Lab, options: DemoOptions): Promise<void> {
  if (options.keep) {
    await lab.keep()
    console.log(`The lab ${lab.id} stays; remove it with: ${labProgram} down ${lab.id}`)
    return
  }
  for (const name of ['n1', 'n2']) {
    const tail = spawnSync('tail', ['-n', '30', lab.host(name).logFile('holdfastd')])
    console.log(`\nholdfastd of ${name} said last:\n${tail.stdout.toString()}`)
  }
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof LabError)) throw error
  console.error(`demo: ${error.message}`)
  process.exitCode = 1
}
