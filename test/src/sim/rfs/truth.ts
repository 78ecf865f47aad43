/**
 * What the applications were promised, path by path: after each acknowledged change everybody who has the right to serve
 * must have it; after a power cut of all who had it, what was synced.
 */
import { type NodeName, other } from '../node.js'
import type { Answer } from './server.js'
import { type Change, changed, type File, paths, textOf, type Tree } from './tree.js'

interface PathTruth {
  /** What the file may be: one, unless a change was answered with an error that says nothing. */
  possible: Map<string, File>
  /** Additional possibilities while a change is under way. */
  next: Map<string, File> | undefined
  /** At the last acknowledged sync, if that was known; and what came after. */
  synced: File | 'unknown'
  since: Change[]
}

export class Truth {
  acknowledged = 0
  readonly #paths = new Map<string, PathTruth>()

  constructor(
    readonly tree: (name: NodeName) => Tree,
    readonly violated: (what: string) => void,
  ) {
    for (const path of paths) this.#paths.set(path, fresh(undefined))
  }

  isBusy(path: string): boolean {
    return this.#of(path).next !== undefined
  }

  /** A change is asked for; what it may lead to from now on. */
  asked(change: Change): void {
    const moved = change.kind === 'rename' ? this.#of(change.path).possible : undefined
    for (const path of pathsOf(change)) {
      const truth = this.#of(path)
      const next = new Map<string, File>()
      for (const from of moved?.values() ?? [undefined]) {
        for (const file of truth.possible.values()) {
          const after = changed(file, path, change, from)
          next.set(textOf(after), after)
        }
      }
      truth.next = next
      truth.since.push(change)
    }
  }

  answered(server: NodeName, holders: ReadonlySet<NodeName>, change: Change, answer: Answer): void {
    for (const path of pathsOf(change)) {
      const truth = this.#of(path)
      const { next } = truth
      if (next === undefined) continue
      truth.next = undefined
      if (answer === 'refused') continue
      if (answer === 'done') truth.possible = next
      else for (const [text, file] of next) truth.possible.set(text, file)
    }
    if (answer !== 'done') return
    this.acknowledged += 1
    const peer = other(server)
    if (holders.has(peer)) this.#check(peer, pathsOf(change), `${server} acknowledged what ${peer}`)
  }

  /** Returns what to do when it is acknowledged. */
  syncAsked(path: string): () => void {
    const truth = this.#of(path)
    const [only] = truth.possible.values()
    const file = truth.possible.size === 1 && truth.next === undefined ? only : 'unknown'
    const before = new Set(truth.since)
    return () => {
      truth.synced = file
      truth.since = truth.since.filter((change) => !before.has(change))
    }
  }

  /** Its copy is called current: it must have what was acknowledged. */
  isCurrent(name: NodeName): void {
    this.#check(name, paths, `${name} is called current and`)
  }

  /** It serves from now on: what it has is the truth, and so are edits made while it was stopped. `isWeak`: it lost what was not synced, and so did whoever else had it. */
  takenOver(name: NodeName, isWeak: boolean, edited: ReadonlySet<string>): void {
    const kept = paths.filter((path) => !edited.has(path))
    if (isWeak) this.#checkSynced(name, kept)
    else this.#check(name, kept, `${name} serves and`)
    for (const path of paths) {
      const file = this.tree(name).file(path)
      const truth = this.#of(path)
      truth.possible = new Map([[textOf(file), file]])
      truth.next = undefined
      if (!isWeak && !edited.has(path)) continue
      truth.synced = file
      truth.since = []
    }
  }

  #check(name: NodeName, of: readonly string[], what: string): void {
    for (const path of of) {
      const { possible, next } = this.#of(path)
      const text = textOf(this.tree(name).file(path))
      if (possible.has(text) || next?.has(text) === true) continue
      const expected = [...possible.keys(), ...(next?.keys() ?? [])].join(' or ')
      this.violated(`${what} lacks an acknowledged change: ${path} is ${text}, not ${expected}`)
    }
  }

  #checkSynced(name: NodeName, of: readonly string[]): void {
    for (const path of of) {
      const { synced, since } = this.#of(path)
      if (synced === 'unknown' || since.some(({ kind }) => kind !== 'write')) continue
      const file = this.tree(name).file(path)
      const written = new Set(since.map((change) => (change.kind === 'write' ? change.zone : -1)))
      const isKept =
        (file === undefined) === (synced === undefined) &&
        (synced ?? []).every((value, zone) => written.has(zone) || file?.[zone] === value)
      if (isKept) continue
      const was = textOf(synced)
      this.violated(`${name} lost what was synced: ${path} is ${textOf(file)}, and was ${was}`)
    }
  }

  #of(path: string): PathTruth {
    const truth = this.#paths.get(path)
    if (truth === undefined) throw new Error(`${path} is not one of the paths`)
    return truth
  }
}

function fresh(file: File): PathTruth {
  const possible = new Map([[textOf(file), file]])
  return { possible, next: undefined, synced: file, since: [] }
}

export function pathsOf(change: Change): readonly string[] {
  return change.kind === 'rename' ? [change.path, change.to] : [change.path]
}
