/**
 * Pure: which plugins are active together, and in which order. Returns the order, or all reasons at once why there
 * is none. Whoever provides a token or contributes to a point comes before whoever needs it; what a plugin requires is
 * active too, before or after it.
 */
import type { PluginManifest } from '@holdfast/sdk'

export interface GraphInput {
  readonly scope: 'node' | 'module'
  readonly platform: string
  /** Plugins that must be active; what they require is added. `because` completes "X is needed because …". */
  readonly wanted: readonly { readonly id: string; readonly because: string }[]
  readonly available: readonly PluginManifest[]
  /** Plugins that are installed and not usable: id → why. */
  readonly broken: ReadonlyMap<string, string>
  /** Tokens that the core gives to every plugin of this scope. */
  readonly coreTokens: readonly string[]
  readonly satisfies: (version: string, range: string) => boolean
}

export type GraphResult =
  | { readonly ok: true; readonly order: readonly PluginManifest[] }
  | { readonly ok: false; readonly reasons: readonly string[] }

interface Edge {
  readonly to: string
  readonly why: string
}

export function resolveOrder(input: GraphInput): GraphResult {
  const reasons: string[] = []
  const members = closure(input, reasons)
  reasons.push(...memberProblems(input, members), ...tokenProblems(input, members))
  const edges = edgesOf(members)
  const cycle = findCycle(members, edges)
  if (cycle !== undefined) reasons.push(`cycle: ${cycle}`)
  if (reasons.length > 0) return { ok: false, reasons: [...new Set(reasons)].sort() }
  return { ok: true, order: sorted(members, edges) }
}

/** Ids of the plugins among `members` whose instances `manifest` holds for its whole life, sorted. */
export function dependenciesOf(
  manifest: PluginManifest,
  members: readonly PluginManifest[],
): readonly string[] {
  const lasting = { ...manifest, needs: manifest.needs.filter((need) => !isLive(need)) }
  const targets = edgesFrom(lasting, members).map(({ to }) => to)
  return [...new Set(targets)].sort()
}

/** A need without the mark of an optional or a live one. */
export function needId(need: string): string {
  return isOptional(need) || isLive(need) ? need.slice(0, -1) : need
}

export function isOptional(need: string): boolean {
  return need.endsWith('?')
}

/** Contributors of a live need may come and go: they begin earlier, but are no reason to begin anew. */
export function isLive(need: string): boolean {
  return need.endsWith('*')
}

function closure(input: GraphInput, reasons: string[]): PluginManifest[] {
  const members = new Map<string, PluginManifest>()
  const open = input.wanted.map(({ id, because }) => ({ id, because, range: '*' }))
  for (let next = open.shift(); next !== undefined; next = open.shift()) {
    const { id, because, range } = next
    const manifest = input.available.find((candidate) => candidate.id === id)
    if (manifest === undefined) {
      const why = input.broken.get(id)
      const what = why === undefined ? 'is not installed' : `can't be used: ${why}`
      reasons.push(`plugin ${id} ${what} (needed because ${because})`)
      continue
    }
    if (!input.satisfies(manifest.version, range)) {
      reasons.push(`plugin ${id} is ${manifest.version}, but ${because} in version ${range}`)
    }
    if (members.has(id)) continue
    members.set(id, manifest)
    for (const [required, wantedRange] of Object.entries(manifest.requires)) {
      open.push({ id: required, because: `${id} requires ${required}`, range: wantedRange })
    }
  }
  return [...members.values()].sort(byId)
}

function memberProblems(input: GraphInput, members: readonly PluginManifest[]): string[] {
  const problems: string[] = []
  for (const manifest of members) {
    if (manifest.scope !== input.scope) {
      problems.push(
        `plugin ${manifest.id} is of scope ${manifest.scope}, here ${input.scope} is needed`,
      )
    }
    if (!manifest.platforms.some((platform) => platform === input.platform)) {
      problems.push(
        `plugin ${manifest.id} runs on ${manifest.platforms.join(', ')}, not on ${input.platform}`,
      )
    }
    for (const other of members) {
      if (manifest.conflicts.includes(other.id)) {
        problems.push(`plugin ${manifest.id} can't be active beside ${other.id}`)
      }
    }
  }
  return problems
}

function tokenProblems(input: GraphInput, members: readonly PluginManifest[]): string[] {
  const problems: string[] = []
  const providers = new Map<string, string[]>(input.coreTokens.map((id) => [id, ['core']]))
  for (const { id, provides } of members) {
    for (const token of provides) providers.set(token, [...(providers.get(token) ?? []), id])
  }
  for (const [token, ids] of providers) {
    if (ids.length > 1) problems.push(`token ${token} is provided by ${ids.join(' and by ')}`)
  }
  for (const { id, needs } of members) {
    for (const need of needs) {
      if (isPoint(need) || isOptional(need) || providers.has(need)) continue
      const candidates = input.available.filter((other) => other.provides.includes(need))
      const hint = candidates.map((other) => other.id).sort()
      const active = hint.length === 0 ? '' : ` (${hint.join(', ')} would, but is not active here)`
      problems.push(`token ${need} is needed by ${id} and nobody provides it${active}`)
    }
  }
  return problems
}

function isPoint(id: string): boolean {
  return id.startsWith('point.')
}

function edgesOf(members: readonly PluginManifest[]): ReadonlyMap<string, readonly Edge[]> {
  return new Map(members.map((manifest) => [manifest.id, edgesFrom(manifest, members)]))
}

function edgesFrom(manifest: PluginManifest, members: readonly PluginManifest[]): Edge[] {
  const edges: Edge[] = []
  // What is required is no edge: a checker requires the host that collects it, and that host needs the checker.
  for (const other of members) {
    for (const need of manifest.needs.map(needId)) {
      const gives = isPoint(need)
        ? other.contributes.includes(need) && other.id !== manifest.id
        : other.provides.includes(need)
      if (gives) edges.push({ to: other.id, why: `needs ${need}` })
    }
  }
  return edges
}

/** Depth first; the path back to a plugin that is still open is the cycle. */
function findCycle(
  members: readonly PluginManifest[],
  edges: ReadonlyMap<string, readonly Edge[]>,
): string | undefined {
  const finished = new Set<string>()
  const path: { id: string; why: string }[] = []
  const visit = (id: string, why: string): string | undefined => {
    const start = path.findIndex((step) => step.id === id)
    if (start >= 0) {
      const steps = path.slice(start)
      const first = steps[0]?.id ?? id
      const rest = [...steps.slice(1), { id, why }]
      return rest.reduce((text, step) => `${text} → ${step.id} (${step.why})`, first)
    }
    if (finished.has(id)) return undefined
    path.push({ id, why })
    for (const edge of edges.get(id) ?? []) {
      const cycle = visit(edge.to, edge.why)
      if (cycle !== undefined) return cycle
    }
    path.pop()
    finished.add(id)
    return undefined
  }
  for (const { id } of members) {
    const cycle = visit(id, '')
    if (cycle !== undefined) return cycle
  }
  return undefined
}

/** Same input, same order: among those that could be next, the smallest id is. */
function sorted(
  members: readonly PluginManifest[],
  edges: ReadonlyMap<string, readonly Edge[]>,
): PluginManifest[] {
  const order: PluginManifest[] = []
  const placed = new Set<string>()
  while (order.length < members.length) {
    const next = members.find(
      ({ id }) => !placed.has(id) && (edges.get(id) ?? []).every(({ to }) => placed.has(to)),
    )
    if (next === undefined) break // Impossible: cycles were refused before.
    placed.add(next.id)
    order.push(next)
  }
  return order
}

function byId(a: PluginManifest, b: PluginManifest): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0
}
