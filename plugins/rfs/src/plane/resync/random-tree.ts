/** For tests: a tree that is changed at random like an application would, and the keys that the server would touch. */
import fs from 'node:fs'
import { AT, O, close, cstring, openat, selfPath, setxattr } from '../libc.js'
import { Keys } from '../journal/keys.js'
import { join, parentOf } from '../journal/path.js'
import type { BytePath } from '../resync-port.js'

/** Small, seeded, good enough: the same seed gives the same tree on every machine. */
export class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0 || 1
  }

  /** A whole number below `below`. */
  roll(below: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0
    return Math.floor((this.#state / 0x1_0000_0000) * below)
  }

  pick<T>(from: readonly T[]): T | undefined {
    return from[this.roll(from.length)]
  }
}

const NAMES = ['a', 'b', 'c\xff\xfe', 'd e', 'f\nq', '-rf', '\x01', 'h'.repeat(255), 'data', 'Ü']
const SIZES = [0, 1, 100, 4096, 65_536, 65_537, 200_000, 400_000]

export class RandomTree {
  keys = new Keys()

  constructor(
    readonly root: string,
    readonly dice: Dice,
    readonly zoneBytes: number,
  ) {}

  /** Makes so many random changes. */
  change(times: number): void {
    for (let i = 0; i < times; i += 1) this.#changeOnce()
  }

  #changeOnce(): void {
    const { files, directories, others } = this.#list()
    const file = this.dice.pick(files)
    const directory = this.dice.pick(directories) ?? ''
    const any = this.dice.pick([...files, ...directories, ...others])
    const fresh = join(directory, this.dice.pick(NAMES) ?? 'x')
    const free = !this.#exists(fresh)
    const choice = this.dice.roll(16)
    if (choice < 4 && free) this.#create(fresh)
    else if (choice === 4 && free) this.#entry(fresh, (path) => fs.mkdirSync(path))
    else if (choice === 5 && free) {
      this.#entry(fresh, (path) =>
        fs.symlinkSync(this.dice.pick(['..', '/etc', 'x\xff']) ?? '', path),
      )
    } else if (choice === 6 && free && file !== undefined) {
      this.#entry(fresh, (path) => fs.linkSync(this.#at(file), path))
      this.keys.addMeta(0, file)
    } else if (choice < 10 && file !== undefined) this.#write(file)
    else if (choice === 10 && file !== undefined) this.#truncate(file)
    else if (choice === 11 && any !== undefined && free) this.#rename(any, fresh)
    else if (choice === 12 && any !== undefined) {
      this.#keepOtherNames(any)
      this.#entry(any, (path) => fs.rmSync(path, { recursive: true }))
    } else if (choice === 13 && any !== undefined) this.#attributes(any)
    else if (choice === 14 && file !== undefined) this.#replace(file)
    else if (choice === 15) this.#attributes(directory)
  }

  #create(path: BytePath): void {
    this.#entry(path, (at) => fs.writeFileSync(at, this.#bytes(this.dice.pick(SIZES) ?? 0)))
  }

  /** Written under another name and renamed over the file, as editors do. */
  #replace(path: BytePath): void {
    const temporary = join(parentOf(path), 'tmp')
    if (this.#exists(temporary)) return
    this.#create(temporary)
    this.#rename(temporary, path)
  }

  #rename(from: BytePath, to: BytePath): void {
    if (to === from || to.startsWith(`${from}/`)) return
    this.#keepOtherNames(to)
    this.keys.addEntry(0, from)
    this.#entry(to, (path) => fs.renameSync(this.#at(from), path))
    this.keys.addMeta(0, parentOf(from))
  }

  /**
   * What was recorded under a name that goes away must be found under another one: the server touches one
   * of the other names of each file that has some.
   */
  #keepOtherNames(gone: BytePath): void {
    const isGone = (path: BytePath): boolean => path === gone || path.startsWith(`${gone}/`)
    const { files } = this.#list()
    for (const file of files.filter(isGone)) {
      const { ino, nlink } = fs.lstatSync(this.#at(file))
      const same = (path: BytePath): boolean => fs.lstatSync(this.#at(path)).ino === ino
      const other = nlink > 1 ? files.find((path) => !isGone(path) && same(path)) : undefined
      if (other !== undefined) this.keys.addEntry(0, other)
    }
  }

  #write(path: BytePath): void {
    const fd = fs.openSync(this.#at(path), 'r+')
    const size = fs.fstatSync(fd).size
    const offset = this.dice.roll(size + 100_000)
    const bytes = this.#bytes(1 + this.dice.roll(3000))
    this.#zones(path, offset, bytes.length)
    fs.writeSync(fd, bytes, 0, bytes.length, offset)
    fs.closeSync(fd)
  }

  #truncate(path: BytePath): void {
    this.keys.addEntry(0, path)
    fs.truncateSync(this.#at(path), this.dice.pick(SIZES) ?? 0)
  }

  #attributes(path: BytePath): void {
    const at = this.#at(path)
    this.keys.addMeta(0, path)
    const choice = this.dice.roll(4)
    if (choice === 0) fs.lutimesSync(at, 1, this.dice.roll(2e9) / 1000)
    else if (choice === 1) fs.lchownSync(at, this.dice.roll(5), this.dice.roll(5))
    else if (choice === 2 && !fs.lstatSync(at).isSymbolicLink()) {
      fs.chmodSync(at, this.dice.roll(0o10000) | 0o400)
    } else lsetxattrOf(at, `trusted.${this.dice.roll(3)}`, String(this.dice.roll(1000)))
  }

  #zones(path: BytePath, offset: number, length: number): void {
    const last = Math.floor((offset + length - 1) / this.zoneBytes)
    for (let zone = Math.floor(offset / this.zoneBytes); zone <= last; zone += 1) {
      this.keys.addZone(0, path, zone)
    }
  }

  #entry(path: BytePath, change: (at: Buffer) => void): void {
    this.keys.addEntry(0, path)
    this.keys.addMeta(0, parentOf(path))
    change(this.#at(path))
  }

  #bytes(size: number): Buffer {
    const bytes = Buffer.alloc(size, this.dice.roll(255) + 1)
    for (let at = 0; at < size; at += 997) bytes[at] = this.dice.roll(256)
    return bytes
  }

  #at(path: BytePath): Buffer {
    return Buffer.from(`${this.root}/${path}`, 'latin1')
  }

  #exists(path: BytePath): boolean {
    return fs.lstatSync(this.#at(path), { throwIfNoEntry: false }) !== undefined
  }

  #list(): { files: BytePath[]; directories: BytePath[]; others: BytePath[] } {
    const found: Record<'files' | 'directories' | 'others', BytePath[]> = {
      files: [],
      directories: [],
      others: [],
    }
    const pending: BytePath[] = ['']
    for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
      for (const entry of fs.readdirSync(this.#at(path), {
        encoding: 'buffer',
        withFileTypes: true,
      })) {
        const below = join(path, entry.name.toString('latin1'))
        if (entry.isDirectory()) found.directories.push(below)
        else if (entry.isFile()) found.files.push(below)
        else found.others.push(below)
        if (entry.isDirectory()) pending.push(below)
      }
    }
    for (const list of Object.values(found)) list.sort()
    return found
  }
}

/** Of the link itself if it is one. */
function lsetxattrOf(path: Uint8Array, name: string, value: string): void {
  const fd = openat(AT.FDCWD, cstring(path), O.PATH | O.NOFOLLOW, 0)
  const set = setxattr(selfPath(fd), cstring(name), Buffer.from(value), value.length, 0)
  close(fd)
  if (set < 0) throw new Error(`setxattr: ${set}`)
}
