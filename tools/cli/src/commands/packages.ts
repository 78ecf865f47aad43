/** `holdfast module install|upgrade|rollback|info|package`: modules as packages. */
import { readFile, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import {
  HoldfastError,
  type InstallReport,
  type PackageQuestion,
  type PackageView,
  type UpgradeReport,
} from '@holdfast/sdk'
import type { Terminal } from '../output/terminal.js'
import { cliErrors, exitCode, usageError } from '../exit.js'
import { writeTable } from '../output/table.js'
import type { ModuleView } from '../api/views.js'
import type { ArgumentSpec, CommandSpec, Context, Input, OptionSpec } from '../spec.js'
import { chosenModule, jsonOption } from './options.js'
import { bringRequired, yesOption } from './plugin-install.js'
import { withAnswers } from './questions.js'
import { rollOut, stopOption } from './rollout.js'
import {
  type PackagePlace,
  parameterOption,
  parametersOf,
  placeOf,
  sourceSummary,
  unsignedOption,
} from './source.js'

const installedName: ArgumentSpec = {
  name: 'NAME',
  required: true,
  summary: 'the installed module',
  complete: 'module',
}
const source: ArgumentSpec = { name: 'SOURCE', summary: sourceSummary, complete: 'file' }

const sourcesOption: OptionSpec = {
  long: 'sources',
  summary: 'change only the sources on this node; nothing runs differently',
}

export const packageCommands: readonly CommandSpec[] = [
  {
    name: 'install',
    summary: 'copy the sources of a module to /etc/holdfast/modules; starts nothing',
    arguments: [
      { name: 'NAME', required: true, summary: 'name of the module from now on' },
      source,
    ],
    options: [parameterOption, unsignedOption, yesOption],
    examples: [
      'holdfast module install postgresql --param VIRTUAL_IP=10.0.0.100',
      'holdfast module install shop postgresql@^1.0.0',
      'holdfast module install web ./web',
    ],
    run: install,
  },
  {
    name: 'upgrade',
    summary: 'move to another version, node by node when the module runs; what you changed stays',
    arguments: [installedName, source],
    options: [parameterOption, unsignedOption, yesOption, stopOption, sourcesOption],
    examples: [
      'holdfast module upgrade postgresql',
      'holdfast module upgrade web ./web-2.0.0.safe',
    ],
    run: upgrade,
  },
  {
    name: 'rollback',
    summary: 'back to what was before the last upgrade, in the same way',
    arguments: [installedName],
    options: [stopOption, sourcesOption],
    examples: ['holdfast module rollback postgresql'],
    run: rollback,
  },
  {
    name: 'info',
    summary: 'what a module is, its parameters, and what was changed by hand',
    arguments: [
      { name: 'NAME', summary: 'an installed module, or the path of an archive', complete: 'file' },
    ],
    options: [jsonOption],
    examples: ['holdfast module info postgresql', 'holdfast module info ./web.safe'],
    run: info,
  },
  {
    name: 'package',
    summary: 'make a .safe archive out of a directory; needs no cluster',
    arguments: [{ name: 'DIR', required: true, summary: 'the sources', complete: 'file' }],
    options: [
      {
        short: 'o',
        long: 'output',
        value: 'FILE',
        summary: 'ID-VERSION.safe unless told',
        complete: 'file',
      },
      { long: 'key', value: 'FILE', summary: 'private key (PEM) that signs it', complete: 'file' },
    ],
    examples: ['holdfast module package ./web --key web.pem'],
    run: pack,
  },
]

async function install(context: Context, input: Input): Promise<number> {
  const name = input.argument('NAME') ?? ''
  if (/[/.:@]/.test(name)) {
    throw input.argument('SOURCE') === undefined
      ? usageError(
          `"${name}" says where the module is; its name is missing`,
          `write holdfast module install NAME ${name}`,
        )
      : usageError(`"${name}" can't be the name of a module`, 'use letters, digits, minus and _')
  }
  const place = await placeFor(context, input, name)
  const { path } = place
  const given = parametersOf(input)
  const view = await inspect(context, { path, ...given, install: name })
  const answered = await withAnswers(context, view.parameters, given)
  if (answered !== given) await inspect(context, { path, ...answered, install: name })
  await bringRequired(context, view, input.flag('yes'))
  const body = { name, ...place, ...answered }
  const report = await context.client.ask<InstallReport>('POST', '/modules', { body })
  context.terminal.out(`${name}  installed: ${report.title}, version ${report.version}`)
  tellNotes(context.terminal, report.notes)
  context.terminal.out(
    `  next: edit /etc/holdfast/modules/${name}/conf/userconfig.xml, then holdfast module config ${name}`,
  )
  return exitCode.done
}

async function upgrade(context: Context, input: Input): Promise<number> {
  const { client } = context
  const name = input.argument('NAME') ?? ''
  const { id } = await client.get<PackageView>(`${addressOf(name)}/package`)
  const place = await placeFor(context, input, id)
  const given = parametersOf(input)
  const view = await inspect(context, { path: place.path, ...given, upgrade: name })
  await bringRequired(context, view, input.flag('yes'))
  const body = { ...place, ...given }
  const report = await client.ask<UpgradeReport>('POST', `${addressOf(name)}/upgrade`, { body })
  return await applyUpgrade(context, input, name, report)
}

async function rollback(context: Context, input: Input): Promise<number> {
  const name = input.argument('NAME') ?? ''
  const path = `${addressOf(name)}/rollback`
  const report = await context.client.ask<UpgradeReport>('POST', path, { body: {} })
  return await applyUpgrade(context, input, name, report)
}

/** What the operator has to look at first is not applied behind his back. */
async function applyUpgrade(
  context: Context,
  input: Input,
  name: string,
  report: UpgradeReport,
): Promise<number> {
  const { terminal, client } = context
  tellUpgrade(terminal, name, report)
  const { configured, version } = await client.get<ModuleView>(addressOf(name))
  // What an operator edited meanwhile is not applied by an upgrade that brought nothing.
  if (isNothing(report) && configured && version === report.to) return exitCode.done
  if (configured && report.conflicts.length === 0 && !input.flag('sources')) {
    return await rollOut(context, name, { stop: input.flag('stop') })
  }
  const rolling = configured ? ' --rolling' : ''
  terminal.out(`  nothing runs differently yet; next: holdfast module config ${name}${rolling}`)
  return exitCode.done
}

function tellUpgrade(terminal: Terminal, name: string, report: UpgradeReport): void {
  terminal.out(`${name}  ${versionText(report)}`)
  for (const path of report.taken) terminal.out(`  ${path}`)
  for (const path of report.conflicts) {
    terminal.warning(`${path}: you changed it and the package did: yours stays, compare them`)
  }
  tellNotes(terminal, report.notes)
}

function versionText(report: UpgradeReport): string {
  const { from, to } = report
  if (from !== to) return `version ${from} → ${to}`
  return isNothing(report) ? `up to date: version ${to}` : `version ${to} as before, changed:`
}

function isNothing({ from, to, taken, conflicts }: UpgradeReport): boolean {
  return from === to && taken.length + conflicts.length === 0
}

async function info(context: Context, input: Input): Promise<number> {
  const given = input.argument('NAME')
  const view =
    given !== undefined && /[./]/.test(given)
      ? await inspect(context, { path: resolve(given) })
      : await context.client.get<PackageView>(
          `${addressOf(await chosenModule(context, given))}/package`,
        )
  if (input.flag('json')) context.terminal.json(view)
  else tellPackage(context.terminal, view)
  return exitCode.done
}

function inspect({ client }: Context, body: PackageQuestion): Promise<PackageView> {
  return client.ask<PackageView>('POST', '/packages/inspect', { body })
}

function tellPackage(terminal: Terminal, view: PackageView): void {
  terminal.out(`${terminal.colour('bold', view.id)} ${view.version}  ${view.title}`)
  if (view.description !== undefined) terminal.out(`  ${view.description}`)
  if (view.from !== undefined) terminal.out(`  from: ${view.from}`)
  const signer = view.signedBy ?? 'nobody whom this node trusts'
  const vouched = view.vouched === undefined ? '' : `; ${view.vouched}, answers for it`
  terminal.out(`  signed by: ${signer}${vouched}`)
  const requires = Object.entries(view.requires).map(([id, range]) => `${id} ${range}`)
  if (requires.length > 0) terminal.out(`  needs the plugins: ${requires.join(', ')}`)
  if (view.changed.length > 0) terminal.out(`  changed by hand: ${view.changed.join(', ')}`)
  tellNotes(terminal, view.notes)
  if (view.parameters.length === 0) return
  const rows = view.parameters.map(({ name, value, required, title, description }) => [
    { text: name },
    { text: value === '' && required ? '(must be given)' : value },
    { text: title ?? description ?? '' },
  ])
  writeTable(terminal, ['PARAMETER', 'VALUE', 'WHAT'], rows)
}

function tellNotes(terminal: Terminal, notes: readonly string[]): void {
  for (const note of notes) terminal.warning(note)
}

/** Here and not in the node: an author packs without a cluster. */
async function pack(context: Context, input: Input): Promise<number> {
  // Loaded only here: the other commands shall start quickly.
  const { packModule } = await import('@holdfast/pack')
  const directory = resolve(input.argument('DIR') ?? '.')
  const { manifest, data } = await packModule(directory, await keyOf(input))
  const file = input.option('output') ?? `${manifest.id}-${manifest.version}.safe`
  await writeFile(resolve(file), data)
  context.terminal.out(`${file}  ${manifest.title}, ${data.byteLength} bytes`)
  return exitCode.done
}

/** The private key of `--key`. */
export async function keyOf(input: Input): Promise<string | undefined> {
  const path = input.option('key')
  if (path === undefined) return undefined
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new HoldfastError(cliErrors.file, `the key ${path} can't be read`, {
      hint: 'make one with: openssl genpkey -algorithm ed25519 -out key.pem',
      cause: error,
    })
  }
}

function placeFor(context: Context, input: Input, name: string): Promise<PackagePlace> {
  return placeOf(context, name, input.argument('SOURCE'), input.flag('unsigned'))
}

function addressOf(name: string): string {
  return `/modules/${encodeURIComponent(name)}`
}
