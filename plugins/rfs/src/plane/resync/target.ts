/**
 * The following side of a copy: does what the source says to its own tree, and tells what it finds there. It waits
 * for nothing but messages, so the source may run ahead; whatever a message names is checked before it is used.
 */
import { exclusionsIn, isLeftOut, type Exclusions } from '../exclusions.js'
import { close, syncfs } from '../libc.js'
import { MalformedError, type Reader } from '../journal/bytes.js'
import { PATH_BYTES_MAX, isPath, join } from '../journal/path.js'
import type { BytePath, ResyncProgress, ResyncVolume } from '../resync-port.js'
import { Aside } from './aside.js'
import { applyAttributes } from './attributes.js'
import { ChannelError, type Channel } from './channel.js'
import { kindOf } from './kind.js'
import { isNameLeftOut } from './left-out.js'
import { LinkTable, namesOfInodes } from './links.js'
import {
  MESSAGE,
  REASON_BYTES_MAX,
  SCOPES,
  STATE,
  takeAttributes,
  takeEntry,
  takeName,
  takeProgress,
  type Entry,
  type Scope,
} from './messages.js'
import { Placer } from './place.js'
import { removeName, type Removal } from './remove.js'
import { TargetFiles } from './target-files.js'
import { isAbsent, must, openDirectory } from './tree.js'
import { untoldNames, type UntoldNames } from './untold.js'

export interface TargetOptions {
  readonly channel: Channel
  readonly volumes: readonly ResyncVolume[]
  readonly zoneBytes: number
  /** Where files are kept before they are overwritten; undefined: nowhere. */
  readonly aside: string | undefined
  readonly on: TargetEvents
}

export interface TargetEvents {
  /** Told again, with `all`, when names beyond the keys are going to be changed. */
  scoped(scope: Scope, why: string): void
  roundDone(last: boolean): void
  /** All that differed is kept. */
  setAside(files: number, bytes: number): void
  progressed(progress: ResyncProgress): void
}

/** A volume with what is remembered about it for one round. */
export interface TargetVolume extends Removal {
  readonly index: number
  readonly root: number
  links: LinkTable
  /** Files that were changed or lost a name while they have other names, which may be outside the scope. */
  readonly touched: Set<number>
}

interface Visit {
  readonly volume: TargetVolume
  readonly path: BytePath
  /** Negative: the directory is not there, what is said about it is skipped. */
  readonly fd: number
  /** Undefined when only some names are looked at. */
  readonly untold: UntoldNames | undefined
}

const SIBLINGS_BYTES = 64 * 1024

export class Target {
  readonly #channel: Channel
  readonly #on: TargetEvents
  readonly #volumes = new Map<number, TargetVolume>()
  readonly #exclusions: ReadonlyMap<number, Exclusions>
  readonly #files: TargetFiles
  #visit: Visit | undefined
  #scope: Scope | undefined
  #siblings: Generator<readonly [number, BytePath]> | undefined
  #aside: Aside | undefined
  #finished = false

  constructor(options: TargetOptions) {
    this.#channel = options.channel
    this.#on = options.on
    this.#exclusions = exclusionsIn(options.volumes)
    if (options.aside !== undefined) {
      this.#aside = new Aside(options.aside, () => this.#channel.keepAlive())
    }
    this.#files = new TargetFiles({
      channel: options.channel,
      zoneBytes: options.zoneBytes,
      empties: () => this.#scope === 'full' && this.#aside === undefined,
      changes: ({ volume, fd, path }) => this.#aside?.keepContent(volume, fd, path),
    })
    for (const { index, root } of options.volumes) {
      const touched = new Set<number>()
      this.#volumes.set(index, {
        index,
        root,
        links: new LinkTable(),
        touched,
        onLinked: (inode) => touched.add(inode),
        onRemove: (directory, path) => this.#aside?.keepName(index, directory, path),
        onStep: () => this.#channel.keepAlive(),
      })
    }
  }

  /** The last round is applied and acknowledged. */
  get finished(): boolean {
    return this.#finished
  }

  /** Does what one record says. Throws TreeError when this side can't, MalformedError when nobody should. */
  receive(messages: Reader): void {
    while (messages.left > 0) this.#message(messages.u8(), messages)
    this.#files.settle()
    this.#channel.flush()
  }

  /** Closes what is open; the tree stays as it is. */
  close(): void {
    this.#files.close()
    if (this.#visit !== undefined && this.#visit.fd >= 0) close(this.#visit.fd)
    this.#visit = undefined
    this.#aside?.close()
    this.#aside = undefined
  }

  #message(kind: number, from: Reader): void {
    const handler = this.#handlers[kind]
    if (handler === undefined) throw new MalformedError(`message ${kind} to a target`)
    if (this.#scope === undefined && !BEFORE_SCOPE.includes(kind)) {
      throw new MalformedError(`message ${kind} before the scope`)
    }
    // What is placed is looked at together; nothing else is done before.
    if (kind !== MESSAGE.entry) this.#files.look()
    handler(from)
  }

  readonly #handlers: Readonly<Record<number, (from: Reader) => void>> = {
    [MESSAGE.pulse]: () => undefined,
    [MESSAGE.busy]: () => this.#channel.heardBusy(),
    [MESSAGE.failed]: (from) => {
      throw new ChannelError(`the primary gave up: ${from.text(REASON_BYTES_MAX)}`)
    },
    [MESSAGE.scope]: (from) => this.#onScope(from),
    [MESSAGE.visit]: (from) => this.#onVisit(from),
    [MESSAGE.entry]: (from) => this.#onEntry(takeEntry(from)),
    [MESSAGE.present]: (from) => this.#onPresent(takeName(from), from.u8()),
    [MESSAGE.absent]: (from) => this.#onAbsent(takeName(from)),
    [MESSAGE.leave]: (from) => this.#onLeave(from),
    [MESSAGE.hash]: (from) => this.#files.onHash(from),
    [MESSAGE.data]: (from) => this.#files.onData(from),
    [MESSAGE.hole]: (from) => this.#files.onHole(from),
    [MESSAGE.done]: (from) => this.#files.onDone(from),
    [MESSAGE.askSiblings]: () => this.#onAskSiblings(),
    [MESSAGE.roundEnd]: (from) => this.#onRoundEnd(from.u8() === 1),
    // For the loop this is what a comparison of everything is: until it is over, keys do not describe this tree.
    [MESSAGE.widen]: (from) => this.#on.scoped('all', from.text(REASON_BYTES_MAX)),
    [MESSAGE.progress]: (from) => this.#on.progressed(takeProgress(from)),
  }

  #onScope(from: Reader): void {
    const scope = SCOPES[from.u8()]
    if (scope === undefined || this.#scope !== undefined) throw new MalformedError('the scope')
    this.#scope = scope
    this.#on.scoped(scope, from.text(REASON_BYTES_MAX))
  }

  #onVisit(from: Reader): void {
    if (this.#visit !== undefined) throw new MalformedError('a visit within a visit')
    const index = from.uint()
    const volume = this.#volumes.get(index)
    const path = from.text(PATH_BYTES_MAX)
    const whole = from.u8() === 1
    if (volume === undefined) throw new MalformedError(`volume ${index} is not one of this module`)
    if (!isPath(path)) throw new MalformedError('a path that leaves the root')
    const fd = openDirectory(volume.root, path)
    if (isAbsent(fd)) this.#channel.begin(MESSAGE.lost).uint(index).text(path)
    else must(fd, 'open', path)
    this.#visit = { volume, path, fd, untold: undefined }
    if (fd < 0 || !whole) return
    const untold = untoldNames(fd, path, () => this.#channel.keepAlive())
    this.#visit = { ...this.#visit, untold }
  }

  #current(): Visit {
    if (this.#visit === undefined) throw new MalformedError('a name outside of a visit')
    return this.#visit
  }

  #onEntry(entry: Entry): void {
    const visit = this.#current()
    visit.untold?.take(entry.name)
    if (visit.fd < 0) {
      if (entry.ask) this.#channel.begin(MESSAGE.state).uint(entry.id).u8(STATE.gone)
      return
    }
    const placer = new Placer(visit.volume, visit.fd, join(visit.path, entry.name), entry)
    const placed = placer.place()
    const { file, state } = placed
    if (file === undefined) {
      if (entry.ask) this.#channel.begin(MESSAGE.state).uint(entry.id).u8(state)
      return
    }
    const volume = visit.volume.index
    const { fd, size } = file
    const kept = state === STATE.kept
    this.#files.add({ fd, size, volume, path: placer.path, entry, kept })
  }

  /** What is missing here, or is of another kind, has to be sent as a whole. */
  #onPresent(name: BytePath, kind: number): void {
    const { volume, path, fd, untold } = this.#current()
    if (untold === undefined) return
    const here = untold.take(name)
    if (here !== undefined && kindOf(fd, name, here) === kind) return
    this.#channel.begin(MESSAGE.lost).uint(volume.index).text(join(path, name))
  }

  #onAbsent(name: BytePath): void {
    const { volume, path, fd } = this.#current()
    if (fd >= 0) removeName(volume, fd, join(path, name))
  }

  #onLeave(from: Reader): void {
    const { volume, path, fd, untold } = this.#current()
    const attributes = takeAttributes(from)
    this.#visit = undefined
    if (fd < 0) return
    try {
      const exclusions = this.#exclusions.get(volume.index)
      for (const name of untold?.rest() ?? []) {
        const each = join(path, name)
        if (!isNameLeftOut(exclusions, fd, each)) removeName(volume, fd, each)
      }
      applyAttributes(fd, attributes, path)
    } finally {
      close(fd)
    }
  }

  #onAskSiblings(): void {
    this.#siblings ??= this.#scanSiblings()
    const found: (readonly [number, BytePath])[] = []
    let bytes = 0
    let last = false
    while (bytes < SIBLINGS_BYTES) {
      const next = this.#siblings.next()
      if (next.done === true) {
        last = true
        this.#siblings = undefined
        break
      }
      found.push(next.value)
      bytes += next.value[1].length + 8
    }
    const to = this.#channel.begin(MESSAGE.siblings).u8(last ? 1 : 0)
    to.uint(found.length)
    for (const [volume, path] of found) to.uint(volume).text(path)
  }

  *#scanSiblings(): Generator<readonly [number, BytePath]> {
    // Everything is compared anyway unless only keys are.
    if (this.#scope !== 'keys') return
    for (const [index, volume] of this.#volumes) {
      if (volume.touched.size === 0) continue
      const wanted = new Set(volume.touched)
      volume.touched.clear()
      const onStep = (): void => {
        volume.onStep()
      }
      for (const { path } of namesOfInodes(volume.root, wanted, onStep)) {
        if (!isLeftOut(this.#exclusions, index, path, false)) yield [index, path]
      }
    }
  }

  #onRoundEnd(last: boolean): void {
    if (this.#visit !== undefined || this.#files.count > 0) {
      throw new MalformedError('a round that ends in the middle')
    }
    // What the application has synced on the primary must be on this disk too before this side counts.
    this.#channel.announceBusy()
    for (const volume of this.#volumes.values()) {
      must(syncfs(volume.root), 'sync', '')
      volume.links = new LinkTable()
      volume.touched.clear()
    }
    this.#endAside()
    this.#channel.begin(MESSAGE.roundDone)
    this.#channel.drain()
    this.#finished = last
    this.#on.roundDone(last)
  }

  /** The first round has looked at everything that may differ; later ones bring what the primary changed meanwhile. */
  #endAside(): void {
    if (this.#aside === undefined) return
    const { files, bytes } = this.#aside.finish()
    this.#aside.close()
    this.#aside = undefined
    this.#on.setAside(files, bytes)
  }
}

const BEFORE_SCOPE: readonly number[] = [MESSAGE.pulse, MESSAGE.busy, MESSAGE.failed, MESSAGE.scope]
