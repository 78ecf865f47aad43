/** A resynchronisation: what both journals say, or everything, in rounds, while the application goes on. */
import {
  decodeInto,
  encodeKeys,
  Keys,
  type KeySet,
  mayBeLastRound,
  planOf,
} from '@holdfast/plugin-rfs/decisions'
import type { Follower } from './follower.js'
import type { Link } from './link.js'
import type { Server } from './server.js'
import { directoryOf, type File, paths, zoneBytes } from './tree.js'

interface Item {
  readonly path: string
  /** A directory: which names it has. */
  readonly isListed?: boolean
  /** Undefined: its existence, and all of its content. */
  readonly zone: number | undefined
}

const retryMs = 50

export class Copy {
  #rounds = 0
  #items: Item[] = []
  #isLast = false

  constructor(
    readonly server: Server,
    readonly follower: Follower,
    readonly link: Link,
    readonly full: boolean,
  ) {
    const { journal } = server
    const source = { ...journal.standing, zoneBytes }
    const theirs = { standing: follower.standing, keys: follower.journal.snapshot() }
    const mine = journal.snapshot()
    journal.beginSet()
    this.#then(server, 1, 20, () => {
      const { rules, reached } = server.parts
      const target = { ...theirs.standing, zoneBytes }
      const { scope, why } = rules.decideScope({ full, source, target })
      reached(`scope ${scope}: ${why.replace(/:.*/, '')}`)
      server.parts.note(`copies ${scope}: ${why}`)
      this.#then(follower, 1, 20, () => {
        if (rules.mustDistrust(scope)) follower.journal.distrust('a copy was not finished')
        const keys = new Keys()
        decodeInto(mine, keys)
        if (rules.unitesKeys) decodeInto(theirs.keys, keys)
        if (scope !== 'keys') keys.addEntry(0, '')
        else if (!this.#search(keys, mine, theirs.keys)) return
        this.#items = itemsOf(keys)
        this.#next()
      })
    })
  }

  get #isOn(): boolean {
    return this.server.link === this.link && this.follower.link === this.link
  }

  /** A step of one side, when the other one can reach it; a copy that lost its link makes none. */
  #then(side: Server | Follower, fromMs: number, toMs: number, run: () => void): void {
    side.later(side.between(fromMs, toMs), () => {
      if (!this.#isOn) return
      if (this.link.hooks.passes('a') && this.link.hooks.passes('b')) run()
      else this.#then(side, retryMs, retryMs, run)
    })
  }

  /** Adds what others changed on either side. False: the follower died while it wrote it down. */
  #search(keys: Keys, mine: KeySet, theirs: KeySet): boolean {
    const found = this.follower.search(theirs)
    this.follower.journal.touchAll(encodeKeys(found))
    keys.addAll(found)
    keys.addAll(this.server.search(mine))
    return this.follower.step()
  }

  #next(): void {
    const item = this.#items.shift()
    if (item === undefined) {
      this.#then(this.server, 0, 5, () => this.#roundDone())
      return
    }
    this.#then(this.server, 0, 12, () => {
      const file = this.server.parts.tree.file(item.path)
      this.#then(this.follower, 0, 5, () => {
        if (!this.follower.step()) return
        if (item.isListed === true) this.#compareNames(item.path)
        else if (item.zone === undefined) {
          this.#putWhole(item.path, file)
          return
        } else this.#putZone(item.path, item.zone, file)
        this.#next()
      })
    })
  }

  /** Content arrives in pieces; cut in between, the file is neither the one nor the other. */
  #putWhole(path: string, file: File): void {
    const { tree } = this.follower.parts
    if (this.#isFull()) return
    const before = tree.file(path)
    tree.set(
      path,
      file?.map((value, at) => (at === 0 ? value : (before?.[at] ?? 0))),
    )
    this.#then(this.follower, 0, 25, () => {
      if (!this.follower.step()) return
      tree.set(path, file)
      this.#next()
    })
  }

  #isFull(): boolean {
    const { isFull } = this.follower.parts.tree
    if (isFull) this.link.close(this.follower.name, 'the follower has no room')
    return isFull
  }

  #putZone(path: string, zone: number, file: File): void {
    const { tree } = this.follower.parts
    if (this.#isFull()) return
    const before = tree.file(path)
    // A zone key says that both have the file; whoever made it anew has an entry key.
    if (before !== undefined && file !== undefined) {
      const value = file[zone] ?? 0
      tree.set(
        path,
        before.map((old, at) => (at === zone ? value : old)),
      )
    }
  }

  /** What only the follower has goes away; what it lacks comes as a whole. */
  #compareNames(directory: string): void {
    const { tree, reached } = this.follower.parts
    reached('names of a directory are compared')
    for (const path of paths.filter((one) => directoryOf(one) === directory)) {
      const [here, there] = [tree.file(path), this.server.parts.tree.file(path)]
      if (there === undefined) tree.set(path, undefined)
      else if (here === undefined) {
        this.follower.journal.distrust('a copy was not finished')
        this.#items.push({ path, zone: undefined })
      }
    }
  }

  #roundDone(): void {
    const { server, follower } = this
    if (this.#isLast) {
      server.isEqual()
      this.#then(follower, 0, 10, () => {
        // What was synced on the server before must survive on this disk too.
        if (follower.parts.rules.syncsCopy) follower.parts.tree.syncAll()
        follower.becomeEqual()
      })
      return
    }
    this.#rounds += 1
    const { journal } = server
    this.#isLast = mayBeLastRound(this.#rounds, journal.setSize())
    if (server.parts.rules.copiesDelta) server.lastRound = this.#isLast
    const keys = new Keys()
    if (server.parts.rules.copiesDelta) decodeInto(journal.takeSet(), keys)
    server.parts.reached(keys.size > 0 ? 'last round with changes' : 'last round without changes')
    this.#items = itemsOf(keys)
    this.#next()
  }
}

function itemsOf(keys: Keys): Item[] {
  const items = new Map<string, Item>()
  const add = (path: string, zone?: number): void => {
    items.set(`${path}#${zone ?? ''}`, { path, zone })
  }
  for (const { whole, directories, listed } of planOf(keys, [0])) {
    for (const path of listed) items.set(`${path}/`, { path, zone: undefined, isListed: true })
    if (whole) for (const path of paths) add(path)
    for (const [directory, names] of directories) {
      for (const [name, want] of names) {
        const path = directory === '' ? name : `${directory}/${name}`
        for (const zone of want.zones?.list() ?? []) add(path, zone)
        if (!want.entry) continue
        add(path)
        for (const below of paths) if (below.startsWith(`${path}/`)) add(below)
      }
    }
  }
  return [...items.values()].sort((one, other) => (one.path < other.path ? -1 : 1))
}
