/**
 * Which names are one file: while a round runs, what the target knows about files with several names.
 * A target file may stand for one source file only; when a second one claims it, the name is given a file of its own.
 */
import { close } from '../libc.js'
import { join } from '../journal/path.js'
import type { BytePath } from '../resync-port.js'
import { DT, isAbsent, must, namesOf, openDirectory } from './tree.js'

export class LinkTable {
  /** Source inode to the first name under which it was met. */
  readonly #names = new Map<number, BytePath>()
  /** Source inodes whose content is brought over as a whole under one of their names. */
  readonly #whole = new Set<number>()
  /** Target inode to the source inode it stands for. */
  readonly #claims = new Map<number, number>()

  nameOf(sourceInode: number): BytePath | undefined {
    return this.#names.get(sourceInode)
  }

  name(sourceInode: number, path: BytePath): void {
    this.#names.set(sourceInode, path)
  }

  /** True when the content still needs what this name wants of it: another name wanted less. */
  wants(sourceInode: number, content: 'none' | 'all' | 'zones'): boolean {
    if (content === 'none' || this.#whole.has(sourceInode)) return false
    if (content === 'all') this.#whole.add(sourceInode)
    return true
  }

  /** The file is new: all of its content comes. */
  wantWhole(sourceInode: number): void {
    this.#whole.add(sourceInode)
  }

  /** Does the target's file already stand for another file of the source? */
  isClaimedByAnother(targetInode: number, sourceInode: number): boolean {
    const claimed = this.#claims.get(targetInode)
    return claimed !== undefined && claimed !== sourceInode
  }

  claim(targetInode: number, sourceInode: number): void {
    this.#claims.set(targetInode, sourceInode)
  }

  /** An inode number that went away may be given to another file. */
  release(targetInode: number): void {
    this.#claims.delete(targetInode)
  }
}

/** All names of the wanted inodes in a tree. A scan of names only: directories tell inode numbers. */
export function* namesOfInodes(
  root: number,
  wanted: ReadonlySet<number>,
  onStep: () => void,
): Generator<{ readonly path: BytePath; readonly inode: number }> {
  const pending: BytePath[] = ['']
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const directory = openDirectory(root, path)
    // The tree changes while it is scanned on the source: what vanished has a key of its own.
    if (isAbsent(directory)) continue
    must(directory, 'open', path)
    try {
      for (const { name, inode, type } of namesOf(directory, path)) {
        onStep()
        if (type === DT.DIRECTORY || type === DT.UNKNOWN) pending.push(join(path, name))
        if (wanted.has(inode)) yield { path: join(path, name), inode }
      }
    } finally {
      close(directory)
    }
  }
}
