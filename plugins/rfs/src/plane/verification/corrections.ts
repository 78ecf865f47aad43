/** What the follower changes when the server repairs a difference, with the hands of the resynchronisation. */
import { E, MODE, O, close, cstring, ftruncate, linkat } from '../libc.js'
import { nameOf } from '../journal/path.js'
import type { PlaneParts } from '../parts.js'
import type { BytePath } from '../resync-port.js'
import { applyAttributes } from '../resync/attributes.js'
import { punch, writeFully } from '../resync/content.js'
import { LinkTable } from '../resync/links.js'
import { Placer } from '../resync/place.js'
import { removeName } from '../resync/remove.js'
import type { TargetVolume } from '../resync/target.js'
import { TreeError, must, openDirectory } from '../resync/tree.js'
import type { Volume } from '../volume.js'
import { look, withFile, withParent } from './look.js'
import type { Facts, Question } from './messages.js'

export type Correction = Extract<
  Question,
  { kind: 'place' | 'write' | 'punch' | 'remove' | 'link' }
>

const WRITE_FLAGS = O.WRONLY | O.NONBLOCK | O.CLOEXEC
const nothing = (): void => undefined

export class Corrections {
  constructor(readonly parts: Pick<PlaneParts, 'launch' | 'journal' | 'descriptors'>) {}

  /** Throws TreeError when this disk can't, or not now. */
  make(volume: Volume, order: Correction): void {
    const { path } = order
    if (order.kind === 'write' || order.kind === 'punch') {
      this.#content(volume, order)
      return
    }
    if (replaces(volume, order) && isPinned(volume, path))
      throw new TreeError('correct', path, E.BUSY)
    const { journal, descriptors } = this.parts
    journal.touchEntry(volume.index, path)
    journal.flush()
    switch (order.kind) {
      case 'place':
        this.#place(volume, path, order.facts)
        break
      case 'remove':
        withParent(volume.root, path, (directory) => {
          removeName(targetOf(volume), directory, path)
        })
        break
      case 'link':
        this.#link(volume, path, order.other)
    }
    // A name may stand for another file now: what was opened by its name is opened again.
    descriptors.evict(descriptors.count)
  }

  #content(volume: Volume, order: Extract<Correction, { kind: 'write' | 'punch' }>): void {
    const { journal, launch } = this.parts
    const { path, offset } = order
    journal.touchZone(volume.index, path, Math.floor(offset / launch.zoneBytes))
    journal.flush()
    const correct = (fd: number): void => {
      if (order.kind === 'write') writeFully(fd, order.bytes, offset, path)
      else punch(fd, offset, order.length, path)
    }
    withFile(volume.root, path, correct, WRITE_FLAGS)
  }

  #place(volume: Volume, path: BytePath, facts: Facts): void {
    if (path === '') {
      const root = must(openDirectory(volume.root, ''), 'open', path)
      applyAttributes(root, facts, path)
      close(root)
      return
    }
    withParent(volume.root, path, (directory) => {
      const name = nameOf(path)
      const isFile = (facts.mode & MODE.TYPE) === MODE.FILE
      const about = { id: 0, ask: isFile, content: 'none', visited: false } as const
      const entry = { ...facts, ...about, name, inode: 0, links: 1 }
      const { file } = new Placer(targetOf(volume), directory, path, entry).place()
      if (file === undefined) return
      try {
        if (file.size !== facts.size) {
          must(ftruncate(file.fd, facts.size), 'set the size of', path)
        }
        applyAttributes(file.fd, facts, path)
      } finally {
        close(file.fd)
      }
    })
  }

  #link(volume: Volume, path: BytePath, other: BytePath): void {
    withParent(volume.root, path, (directory) => {
      removeName(targetOf(volume), directory, path)
      withParent(volume.root, other, (from) => {
        const made = linkat(from, cstring(nameOf(other)), directory, cstring(nameOf(path)), 0)
        must(made, 'link', path)
      })
    })
  }
}

/** Will the name stand for another file? */
function replaces({ root }: Volume, order: Correction): boolean {
  if (order.kind !== 'place') return true
  const found = look(root, order.path)
  const { facts } = order
  return found === undefined || KINDS.some((kind) => kind(found) !== kind(facts))
}

const KINDS: readonly ((facts: Facts) => number | string)[] = [
  ({ mode }) => mode & MODE.TYPE,
  ({ target }) => target,
  ({ rdevMajor }) => rdevMajor,
  ({ rdevMinor }) => rdevMinor,
]

/** An fsync is under way on what this name, or one beneath it, stands for: its descriptor can't be closed now. */
function isPinned({ table }: Volume, path: BytePath): boolean {
  for (const node of table.all()) {
    if (node.pins === 0) continue
    const at = node.path() ?? ''
    if (at === path || at.startsWith(`${path}/`)) return true
  }
  return false
}

function targetOf({ index, root }: Volume): TargetVolume {
  return {
    index,
    root,
    links: new LinkTable(),
    touched: new Set(),
    onLinked: nothing,
    onRemove: nothing,
    onStep: nothing,
  }
}
