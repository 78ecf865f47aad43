/** `npm run bench -- checkers`: real faults on real nodes, and how soon the right thing follows. */
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { LabError, Pair, parseArguments } from '@holdfast/lab'
import { Interruption } from '../interruption.js'
import { wholeNumber } from '../options.js'
import { checkerFaults, leader } from './faults.js'
import { runMatrix } from './matrix.js'
import { Stand } from './stand.js'
import { matrixLine, matrixTable, withMatrix } from './words.js'

const document = fileURLToPath(new URL('../../../../docs/CHECKERS.md', import.meta.url))
const roundsMost = 20

export const checkersUsage = `npm run bench -- checkers [--json] [--docs] [--only FAULT,…] [--rounds 3] [--list]

  Makes each fault of the matrix on real nodes, checks which rule acts and what cause is shown, and measures the time
  from the fault to the order.

  --json    one line of JSON a fault on standard output
  --docs    writes the table into docs/CHECKERS.md
  --only    these faults only; --list names them`

export async function checkers(
  args: readonly string[],
  tell: (line: string) => void,
): Promise<number> {
  const options = optionsOf(args)
  if (options === undefined) {
    console.log(checkersUsage)
    return 0
  }
  if (options.list) {
    for (const { name, what } of checkerFaults) console.log(`${name}  ${what}`)
    return 0
  }
  const lab = await Pair.lab({})
  const interruption = new Interruption(lab)
  try {
    const pair = new Pair(lab)
    tell('starting Holdfast on two nodes')
    await pair.form({ module: false })
    const stand = await Stand.on(pair, leader)
    const rows = await runMatrix(stand, options.faults, options.rounds, tell)
    console.log(options.json ? rows.map(matrixLine).join('\n') : matrixTable(rows))
    if (options.docs) await writeTable(matrixTable(rows))
    return 0
  } finally {
    await interruption.removeLab()
  }
}

async function writeTable(table: string): Promise<void> {
  const changed = withMatrix(await readFile(document, 'utf8'), table)
  if (changed === undefined) throw new LabError(`${document} has no place for the table`)
  await writeFile(document, changed)
}

function optionsOf(args: readonly string[]) {
  const { values } = parse(args)
  if (values.help === true) return undefined
  const rounds = wholeNumber('rounds', values.rounds, 3, roundsMost)
  const names = values.only?.split(',') ?? checkerFaults.map(({ name }) => name)
  const unknown = names.find((name) => !checkerFaults.some((fault) => fault.name === name))
  if (unknown !== undefined) {
    const known = checkerFaults.map(({ name }) => name).join(', ')
    throw new LabError(`--only ${unknown}: there is no such fault; there are: ${known}`)
  }
  const flags = { list: values.list === true, json: values.json === true }
  const faults = checkerFaults.filter(({ name }) => names.includes(name))
  return { ...flags, docs: values.docs === true, rounds, faults }
}

function parse(args: readonly string[]) {
  return parseArguments(
    {
      args: [...args],
      options: {
        json: { type: 'boolean' },
        docs: { type: 'boolean' },
        only: { type: 'string' },
        rounds: { type: 'string' },
        list: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    },
    checkersUsage,
  )
}
