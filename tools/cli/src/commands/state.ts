/** `holdfast state`: all modules on all nodes, and why they are as they are. */
import { HoldfastError } from '@holdfast/sdk'
import type { ClusterView, ModulesAnswer, ModuleView } from '../api/views.js'
import { exitCode, exitCodeOf, exitCodeOfRole, quietFailureOffset, usageError } from '../exit.js'
import { duration, progressLine, stateColour, stateText } from '../output/format.js'
import { instant } from '../output/times.js'
import { type Row, writeTable } from '../output/table.js'
import type { CommandSpec, Context, Input } from '../spec.js'
import {
  chosenModule,
  chosenNode,
  chosenNodes,
  jsonOption,
  moduleOption,
  nodesOption,
} from './options.js'

/** What one node says, or why it says nothing. */
interface NodeAnswer {
  readonly node: string
  readonly modules: readonly ModuleView[]
  readonly error: { readonly code: string; readonly message: string } | undefined
}

const askMs = 6000

export const stateCommand: CommandSpec = {
  name: 'state',
  summary: 'states of the modules on all nodes',
  options: [
    moduleOption,
    { ...nodesOption, summary: 'only these nodes; with -q one, instead of this one' },
    {
      short: 'v',
      long: 'verbose',
      summary: 'also versions, generations, and what each node knows of its peer',
    },
    jsonOption,
    {
      short: 'q',
      long: 'quiet',
      summary:
        'only an exit code: STOP 0, WAIT 1, ALONE and UP 2, PRIM 3, SECOND 4; failures 11 and up',
    },
  ],
  examples: ['holdfast state', 'holdfast state -m web -v', 'holdfast state -m web -q; echo $?'],
  run: (context, input) => (input.flag('quiet') ? quiet(context, input) : show(context, input)),
}

async function quiet(context: Context, input: Input): Promise<number> {
  try {
    const node = await chosenNode(context, input)
    const name = await chosenModule(context, input.option('module'), node)
    const path = `/modules/${encodeURIComponent(name)}`
    const { state } = await context.client.get<ModuleView>(path, { node })
    if (state !== undefined) return exitCodeOfRole[state.role]
    return quietFailureOffset + exitCode.refused
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error
    return quietFailureOffset + exitCodeOf(error)
  }
}

async function show(context: Context, input: Input): Promise<number> {
  const { client, terminal } = context
  const cluster = await client.get<ClusterView>('/cluster')
  const wanted = await chosenNodes(context, input)
  const nodes = await askNodes(context, cluster, wanted)
  const only = input.option('module')
  if (only !== undefined) await client.get<ModuleView>(`/modules/${encodeURIComponent(only)}`)
  const names = moduleNames(nodes).filter((name) => only === undefined || name === only)
  if (input.flag('json')) {
    const shown = nodes.map((answer) => ({
      ...answer,
      modules: answer.modules.filter((module) => names.includes(module.name)),
    }))
    terminal.json({ cluster, nodes: shown })
    return exitCode.done
  }
  writeHead(context, cluster)
  if (names.length === 0) {
    terminal.out(
      'No module is installed.  next: holdfast registry search, then holdfast module install NAME',
    )
    return exitCode.done
  }
  const rows = names.flatMap((name) => rowsOfModule(name, nodes, input.flag('verbose')))
  writeTable(terminal, ['MODULE', 'NODE', 'STATE', 'DETAIL', 'SINCE', 'CAUSE'], rows)
  return exitCode.done
}

function askNodes(
  context: Context,
  cluster: ClusterView,
  wanted: readonly string[] | undefined,
): Promise<readonly NodeAnswer[]> {
  const { self } = cluster
  const all = cluster.nodes.map(({ node }) => node)
  const unknown = wanted?.find((name) => !all.includes(name))
  if (unknown !== undefined) {
    throw usageError(
      `${unknown} is no node of this cluster`,
      all.length === 0 ? 'leave -H out' : `write ${all.join(' or ')} behind -H`,
    )
  }
  const names = self === undefined ? [undefined] : (wanted ?? all)
  return Promise.all(
    names.map(async (name): Promise<NodeAnswer> => {
      const node = name ?? 'this node'
      try {
        const question = { node: name === self ? undefined : name, timeoutMs: askMs }
        const { modules } = await context.client.get<ModulesAnswer>('/modules', question)
        return { node, modules, error: undefined }
      } catch (error) {
        if (!(error instanceof HoldfastError) || name === self) throw error
        return { node, modules: [], error: { code: error.code, message: error.message } }
      }
    }),
  )
}

function moduleNames(nodes: readonly NodeAnswer[]): readonly string[] {
  return [...new Set(nodes.flatMap(({ modules }) => modules.map(({ name }) => name)))].sort()
}

function writeHead(context: Context, cluster: ClusterView): void {
  const { terminal } = context
  if (cluster.self === undefined) {
    terminal.out('This node belongs to no cluster.  next: holdfast cluster init, or cluster join')
    return
  }
  const connected = cluster.nodes.filter(
    ({ node, connected }) => connected || node === cluster.self,
  )
  const count = `${String(connected.length)} of ${String(cluster.nodes.length)} nodes connected`
  const colour = connected.length === cluster.nodes.length ? 'green' : 'red'
  terminal.out(
    `This is ${terminal.colour('bold', cluster.self)}; ${terminal.colour(colour, count)}`,
  )
  terminal.out('')
}

/** A node that does not answer has a row where a module is known to belong to it. */
function rowsOfModule(
  name: string,
  nodes: readonly NodeAnswer[],
  verbose: boolean,
): readonly Row[] {
  const views = nodes.map((answer) => answer.modules.find((module) => module.name === name))
  const members = new Set(views.flatMap((view) => view?.nodes ?? []))
  let shown = ''
  return nodes.flatMap((answer, index) => {
    const view = views[index]
    if (view === undefined && !members.has(answer.node)) return []
    const title = shown === name ? '' : name
    shown = name
    return view === undefined
      ? [silentRow(title, answer)]
      : [rowOf(title, answer.node, view), ...notesOf(view, verbose)]
  })
}

function silentRow(title: string, answer: NodeAnswer): Row {
  const why =
    answer.error?.message ?? 'not there; "module config" on a node that has the module brings it'
  const state = { text: answer.error === undefined ? 'ABSENT' : 'UNKNOWN', colour: 'red' } as const
  return [{ text: title }, { text: answer.node }, state, { text: '' }, { text: '' }, { text: why }]
}

function rowOf(title: string, node: string, view: ModuleView): Row {
  const { state, failure } = view
  const place = [{ text: title }, { text: node }]
  if (failure !== undefined) {
    const why = { text: `${failure.reason}  [${failure.code}]` }
    return [...place, { text: 'ERROR', colour: 'red' }, { text: '' }, { text: '' }, why]
  }
  if (state === undefined) {
    const next = { text: `next: holdfast module config ${view.name}` }
    return [...place, { text: 'NOT CONFIGURED', colour: 'grey' }, { text: '' }, { text: '' }, next]
  }
  return [
    ...place,
    { text: stateText(state), colour: stateColour(state) },
    { text: state.detail ?? '' },
    { text: duration(Date.now() - state.sinceMs) },
    { text: state.cause },
  ]
}

function notesOf(view: ModuleView, verbose: boolean): readonly Row[] {
  const { state } = view
  const notes: Row[] = []
  if (state?.progress !== undefined)
    notes.push({ note: progressLine(state.progress), colour: 'orange' })
  for (const remark of view.remarks ?? []) notes.push({ note: remark, colour: 'orange' })
  if (state?.hint !== undefined) notes.push({ note: `next: ${state.hint}` })
  if (!verbose) return notes
  const id = view.id === undefined ? '' : `, id ${String(view.id)}`
  notes.push({ note: `${view.title}, version ${view.version}${id}`, colour: 'grey' })
  if (state === undefined) return notes
  const generation = state.generation ?? 'none'
  const remote = state.remote
  const peer =
    remote === undefined
      ? 'never heard'
      : `${remote.node} ${remote.role} ${remote.sub ?? ''}`.trimEnd()
  notes.push({
    note: `since ${instant(state.sinceMs)}, data generation ${generation}, peer: ${peer}`,
    colour: 'grey',
  })
  return notes
}
