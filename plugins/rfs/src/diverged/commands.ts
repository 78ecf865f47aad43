/** `holdfast rfs diverged …`: what the operator does with files that were set aside. */
import { type Command, type CommandResult, HoldfastError } from '@holdfast/sdk'
import { type AsideLine, pathOf } from './format.js'
import { restore } from './restore.js'
import { discardRest, type DivergedSet, readSets, removeSet } from './sets.js'

export interface DivergedWorld {
  /** Where the sets are. */
  readonly base: string
  readonly directories: readonly string[]
  /** Are the replicated directories served here, so that what is written there is replicated? */
  readonly areServed: () => Promise<boolean>
}

type Parameters = Readonly<Record<string, string | number | boolean>>

const linesMax = 1_000
const setParameter = { type: 'string', description: 'its name, as "rfs diverged list" shows it' }

const restoreParameters = objectOf(
  {
    set: setParameter,
    path: { type: 'string', description: 'as "rfs diverged show" shows it' },
    to: { type: 'string', pattern: '^/', description: 'another place, an absolute path' },
    directory: { type: 'string', description: 'when several replicated ones have the path' },
    overwrite: { type: 'boolean', description: 'replace what is there' },
  },
  ['set', 'path'],
)

export function divergedCommands(world: DivergedWorld): ReadonlyMap<string, Command> {
  return new Map<string, Command>([
    [
      'rfs diverged list',
      {
        summary: 'files with writes that only this node had, kept before a copy overwrote them',
        parameters: objectOf({}),
        positional: [],
        run: () => list(world),
      },
    ],
    [
      'rfs diverged show',
      {
        summary: 'the files of one set',
        parameters: objectOf({ set: setParameter }, ['set']),
        positional: ['set'],
        run: (parameters) => show(world, parameters),
      },
    ],
    [
      'rfs diverged restore',
      {
        summary: 'bring one file back',
        parameters: restoreParameters,
        positional: ['set', 'path'],
        run: (parameters) => bringBack(world, parameters),
      },
    ],
    [
      'rfs diverged remove',
      {
        summary: 'delete a set and its files',
        parameters: objectOf({ set: setParameter }, ['set']),
        positional: ['set'],
        run: (parameters) => remove(world, parameters),
      },
    ],
    [
      'rfs diverged discard',
      {
        summary: 'give up what could not be set aside yet, so that the copy may overwrite it',
        parameters: objectOf({ set: setParameter }, ['set']),
        positional: ['set'],
        run: (parameters) => discard(world, parameters),
      },
    ],
  ])
}

async function list({ base }: DivergedWorld): Promise<CommandResult> {
  const sets = (await readSets(base)).map(summaryOf)
  const lines = sets.map(
    ({ set, files, bytes, state }) => `${set}  ${files} files  ${bytes} bytes  ${state}`,
  )
  return { ok: true, lines: lines.length === 0 ? ['nothing was set aside'] : lines, data: sets }
}

async function show({ base }: DivergedWorld, parameters: Parameters): Promise<CommandResult> {
  const set = await setOf(base, parameters)
  const files = set.lines.map(({ volume, path, type, size, mtimeMs, why }) => ({
    directory: set.directories[volume] ?? String(volume),
    ...{ path, type, size, why },
    modified: new Date(mtimeMs).toISOString(),
  }))
  const lines = files
    .slice(0, linesMax)
    .map(({ path, size, modified, why }) => `${modified}  ${size}  ${why}  ${path}`)
  const more = files.length - lines.length
  const rest = more > 0 ? [`… and ${more} more: --json shows all`] : []
  return { ok: true, lines: [...lines, ...rest], data: files }
}

async function bringBack(world: DivergedWorld, parameters: Parameters): Promise<CommandResult> {
  const set = await setOf(world.base, parameters)
  const line = lineFor(set, parameters)
  const { to, overwrite } = parameters
  const inPlace = set.directories[line.volume] ?? ''
  if (to === undefined && !(await world.areServed())) {
    throw new HoldfastError('E_RFS_NOT_SERVING', 'the directories are not served on this node', {
      hint: 'swap the roles first, or write it elsewhere with --to and copy it to the primary',
    })
  }
  if (typeof to === 'string' && world.directories.some((one) => to.startsWith(`${one}/`))) {
    throw new HoldfastError('E_RFS_OUTSIDE', `${to} is in a replicated directory`, {
      hint: 'without --to it is restored to its own place there',
    })
  }
  const slash = Buffer.from('/')
  const own = Buffer.concat([Buffer.from(inPlace), slash, pathOf(line)])
  const files = Buffer.from(`${world.base}/${set.name}/files/${line.volume}`)
  await restore({
    from: Buffer.concat([files, slash, pathOf(line)]),
    to: typeof to === 'string' ? Buffer.from(to) : own,
    within: to === undefined ? inPlace : undefined,
    overwrite: overwrite === true,
  })
  const where = typeof to === 'string' ? to : `${inPlace}/${line.path}`
  return { ok: true, lines: [`restored ${where}`], data: { restored: where } }
}

async function remove({ base }: DivergedWorld, parameters: Parameters): Promise<CommandResult> {
  const set = await setOf(base, parameters)
  await removeSet(base, set)
  return { ok: true, lines: [`removed ${set.name}`], data: summaryOf(set) }
}

async function discard({ base }: DivergedWorld, parameters: Parameters): Promise<CommandResult> {
  const set = await setOf(base, parameters)
  if (set.closed === 'complete') {
    throw new HoldfastError(
      'E_RFS_COMPLETE',
      `${set.name} has everything: nothing is left to give up`,
    )
  }
  await discardRest(base, set)
  const lines = ['the next copy overwrites what is not in this set; it is tried again by itself']
  return { ok: true, lines, data: summaryOf(set) }
}

async function setOf(base: string, { set: name }: Parameters): Promise<DivergedSet> {
  const sets = await readSets(base)
  const found = sets.find((set) => set.name === name)
  if (found !== undefined) return found
  const known = sets.map((set) => set.name).join(', ')
  throw new HoldfastError('E_RFS_NO_SET', `there is no set "${String(name)}"`, {
    hint: known === '' ? 'nothing was set aside on this node' : `there are: ${known}`,
  })
}

function lineFor(set: DivergedSet, { path, directory }: Parameters): AsideLine {
  const found = set.lines.filter(
    (line) =>
      line.path === path && (directory === undefined || set.directories[line.volume] === directory),
  )
  const [line] = found
  if (line === undefined || line.type === 'other') {
    throw new HoldfastError('E_RFS_NO_FILE', `"${String(path)}" was not set aside in ${set.name}`, {
      hint: `"holdfast rfs diverged show ${set.name}" lists what was`,
    })
  }
  if (found.length > 1) {
    const places = found.map(({ volume }) => set.directories[volume]).join(', ')
    throw new HoldfastError('E_RFS_AMBIGUOUS', `"${String(path)}" is in ${places}`, {
      hint: 'say which with --directory',
    })
  }
  return line
}

function summaryOf({ name, generation, madeMs, lines, closed }: DivergedSet): {
  readonly set: string
  readonly generation: string
  readonly made: string
  readonly files: number
  readonly bytes: number
  readonly state: string
} {
  return {
    set: name,
    generation,
    made: new Date(madeMs).toISOString(),
    files: lines.length,
    bytes: lines.reduce((sum, { size }) => sum + size, 0),
    state: closed ?? 'the copy was interrupted: not everything is here yet',
  }
}

function objectOf(properties: object, required: readonly string[] = []): object {
  return { type: 'object', additionalProperties: false, properties, required }
}
