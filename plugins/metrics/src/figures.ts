/** Which figures a moment of this node makes. Pure; names and units follow the customs of Prometheus: seconds, bytes, _total. */
import type { ModuleState, ModuleView, ResourceValue, RoleName, SubState } from '@holdfast/sdk'
import type { Snapshot } from './snapshot.js'
import type { Figure, Sample } from './text.js'

const roles: readonly RoleName[] = ['STOP', 'WAIT', 'ALONE', 'PRIM', 'SECOND', 'UP']
const subStates: readonly SubState[] = ['NotReady', 'Transient', 'Ready']
const values: readonly ResourceValue[] = ['init', 'up', 'down', 'unknown']

export function figuresOf(snapshot: Snapshot): readonly Figure[] {
  return [
    ...nodeFigures(snapshot),
    ...moduleFigures(snapshot.modules),
    ...copyFigures(snapshot.modules),
    ...checkerFigures(snapshot),
    ...processFigures(snapshot),
  ]
}

function nodeFigures({ cluster, logged }: Snapshot): Figure[] {
  const { version, nodes } = cluster
  const who = { cluster: cluster.cluster ?? '', node: cluster.self ?? '', version }
  const others = nodes.filter(({ node }) => node !== cluster.self)
  const lans = others.flatMap(({ node, lans: all }) => all.map((lan) => ({ ...lan, node })))
  return [
    gauge('holdfast_info', 'Cluster, node and version of this daemon; always 1.', [one(who, 1)]),
    gauge('holdfast_cluster_revision', 'Number of the applied configuration of the cluster.', [
      one({}, cluster.revision),
    ]),
    gauge(
      'holdfast_peer_connected',
      'The message stream to another node is open.',
      others.map(({ node, connected }) => one({ peer: node }, Number(connected))),
    ),
    gauge(
      'holdfast_lan_up',
      'Heartbeats of another node arrive on this network.',
      lans.map(({ node, lan, up }) => one({ peer: node, lan }, Number(up))),
    ),
    gauge(
      'holdfast_heartbeat_age_seconds',
      'Time since the last authentic heartbeat of another node on this network.',
      lans.flatMap(({ node, lan, heardMsAgo }) =>
        heardMsAgo === undefined ? [] : [one({ peer: node, lan }, heardMsAgo / 1_000)],
      ),
    ),
    counter(
      'holdfast_log_entries_total',
      'Log entries of this daemon since it started.',
      [...logged].map(([level, count]) => one({ level }, count)),
    ),
  ]
}

function moduleFigures(modules: readonly ModuleView[]): Figure[] {
  const states = statesOf(modules)
  return [
    gauge(
      'holdfast_module_role',
      'The role of a module on this node: 1 for the one that it has.',
      states.flatMap(([module, { role }]) => choice({ module }, 'role', roles, role)),
    ),
    gauge(
      'holdfast_module_sub_state',
      'How far the role is: 1 for the one that it is.',
      states.flatMap(([module, { sub }]) => choice({ module }, 'sub', subStates, sub)),
    ),
    gauge(
      'holdfast_module_role_since_seconds',
      'When the role began, seconds since 1970.',
      states.map(([module, { sinceMs }]) => one({ module }, sinceMs / 1_000)),
    ),
    gauge(
      'holdfast_module_detail_info',
      'What the topology says about the data, always 1: uptodate, degraded …',
      states.flatMap(([module, { detail }]) =>
        detail === undefined ? [] : [one({ module, detail }, 1)],
      ),
    ),
    gauge(
      'holdfast_module_generation',
      'Number of the generation of the data that this node has.',
      states.flatMap(([module, { generation }]) => {
        const number = Number.parseInt(generation ?? '', 10)
        return Number.isNaN(number) ? [] : [one({ module }, number)]
      }),
    ),
    gauge(
      'holdfast_module_peer_role',
      'The role of the other node as this one knows it: 1 for the one that it has.',
      states.flatMap(([module, { remote }]) =>
        remote === undefined
          ? []
          : choice({ module, peer: remote.node }, 'role', [...roles, 'UNKNOWN'], remote.role),
      ),
    ),
    gauge(
      'holdfast_module_failed',
      'The plugins of a configured module did not start.',
      modules
        .filter(({ configured }) => configured)
        .map(({ name, failure }) => one({ module: name }, Number(failure !== undefined))),
    ),
  ]
}

function copyFigures(modules: readonly ModuleView[]): Figure[] {
  const states = statesOf(modules)
  const copies = states.flatMap(([module, { progress }]) =>
    progress === undefined ? [] : [{ module, progress }],
  )
  const figure = (
    name: string,
    help: string,
    pick: (progress: (typeof copies)[number]['progress']) => number | undefined,
  ): Figure => {
    const samples = copies.flatMap(({ module, progress }) => {
      const value = pick(progress)
      return value === undefined ? [] : [one({ module, phase: progress.phase }, value)]
    })
    return gauge(`holdfast_copy_${name}`, help, samples)
  }
  return [
    gauge(
      'holdfast_copy_running',
      'The data of the other node is being made identical.',
      states.map(([module, { progress }]) => one({ module }, Number(progress !== undefined))),
    ),
    figure('files_done', 'Files done by the copy that runs.', ({ filesDone }) => filesDone),
    figure('files', 'Files of the copy that runs.', ({ filesTotal }) => filesTotal),
    figure('done_bytes', 'Bytes done by the copy that runs.', ({ bytesDone }) => bytesDone),
    figure('bytes', 'Bytes of the copy that runs.', ({ bytesTotal }) => bytesTotal),
    figure('bytes_per_second', 'Speed of the copy that runs.', (one) => one.bytesPerSecond),
    figure('left_seconds', 'Time that the copy will still take.', ({ etaSeconds }) => etaSeconds),
  ]
}

function checkerFigures({ checked }: Snapshot): Figure[] {
  const resources = [...checked].flatMap(([module, { resources: all }]) =>
    all.map((resource) => ({ ...resource, module })),
  )
  return [
    gauge(
      'holdfast_checkers_on',
      'The checkers of a module look, and its rules act.',
      [...checked].map(([module, { enabled }]) => one({ module }, Number(enabled))),
    ),
    gauge(
      'holdfast_resource_value',
      'What a checker sees: 1 for the value that it has.',
      resources.flatMap(({ module, name, value }) =>
        choice({ module, resource: name }, 'value', values, value),
      ),
    ),
    gauge(
      'holdfast_resource_since_seconds',
      'When the value began, seconds since 1970.',
      resources.map(({ module, name, sinceMs }) =>
        one({ module, resource: name }, sinceMs / 1_000),
      ),
    ),
  ]
}

function processFigures({ process }: Snapshot): Figure[] {
  const { cpuSeconds, startSeconds, residentBytes, heapBytes } = process
  return [
    counter('process_cpu_seconds_total', 'Processor time of the daemon.', [one({}, cpuSeconds)]),
    gauge('process_start_time_seconds', 'When the daemon started, seconds since 1970.', [
      one({}, startSeconds),
    ]),
    gauge('process_resident_memory_bytes', 'Memory of the daemon.', [one({}, residentBytes)]),
    gauge('nodejs_heap_size_used_bytes', 'Memory that its program uses.', [one({}, heapBytes)]),
  ]
}

function statesOf(modules: readonly ModuleView[]): (readonly [string, ModuleState])[] {
  return modules.flatMap(({ name, state }) => (state === undefined ? [] : [[name, state] as const]))
}

/** One sample for each possible word, so that a query for a word always has an answer. */
function choice(
  labels: Sample['labels'],
  label: string,
  words: readonly string[],
  chosen: string,
): Sample[] {
  return words.map((word) => one({ ...labels, [label]: word }, Number(word === chosen)))
}

function one(labels: Sample['labels'], value: number): Sample {
  return { labels, value }
}

function gauge(name: string, help: string, samples: readonly Sample[]): Figure {
  return { name, type: 'gauge', help, samples }
}

function counter(name: string, help: string, samples: readonly Sample[]): Figure {
  return { name, type: 'counter', help, samples }
}
