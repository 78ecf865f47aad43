/** The following side, step by step as docs/RFS.md says it, with the product's journal, windows and rules. */
import { FollowerWindows, KIND, type Standing } from '@holdfast/plugin-rfs/decisions'
import type { Link, Message } from './link.js'
import { Process, type ProcessParts } from './process.js'

export interface FollowerHooks {
  /** From here on its copy is called current. */
  isCurrent(): void
}

export class Follower extends Process {
  link: Link | undefined
  isEqual = false
  isLive = false
  #applied = 0
  #acknowledged = 0
  readonly #windows: FollowerWindows

  constructor(
    parts: ProcessParts,
    readonly name: 'a' | 'b',
    readonly hooks: FollowerHooks,
  ) {
    super(parts)
    this.openJournal()
    const answers = {
      plain: (code: number, ...[, value = 0]: number[]): void => {
        this.link?.send(this.name, { kind: 'plain', code, value })
      },
    }
    const windowParts = { journal: this.journal, pool: this.pool }
    const volume = { root: 0, directory: 'the simulated directory' }
    this.#windows = new FollowerWindows(windowParts, [volume], answers, () => {
      this.link?.close(this.name, 'syncfs failed')
    })
  }

  get standing(): Standing {
    return this.journal.standing
  }

  connected(link: Link): void {
    this.link = link
  }

  /** The copy of this side is done. */
  becomeEqual(): void {
    this.isEqual = true
    this.link?.send(this.name, { kind: 'plain', code: KIND.READY, value: 0 })
    if (!this.parts.rules.currentWhenLive) this.hooks.isCurrent()
  }

  stop(): void {
    this.link?.close(this.name, 'this side stops following')
    this.closeClean()
  }

  lost(): void {
    this.link = undefined
    this.isLive = false
    this.isEqual = false
  }

  received(message: Message): void {
    if (message.kind === 'pulse') return
    const said = { equal: this.isEqual, live: this.isLive }
    const means = this.parts.rules.opMeans(said)
    this.parts.reached(`op of the server: ${means}`)
    if (means === 'tooEarly') {
      this.link?.close(this.name, 'an op came before the copy was done')
      return
    }
    if (means === 'becomesLive' && !this.#becomeLive()) return
    if (message.kind === 'op') this.#apply(message)
    else if (message.kind === 'sync') this.#sync(message.path, message.token)
    else if (message.code === KIND.WINDOW) this.#windows.close(message.value)
    else if (message.code === KIND.WINDOW_DONE) this.#windows.done(message.value)
  }

  #becomeLive(): boolean {
    const { link } = this
    if (link === undefined) return false
    this.isLive = true
    this.journal.trust(link.session)
    if (!this.step()) return false
    if (this.parts.rules.currentWhenLive) this.hooks.isCurrent()
    return true
  }

  #apply({ number, change }: Message & { kind: 'op' }): void {
    const { tree } = this.parts
    if (change !== undefined) {
      this.touch(change)
      if (!this.step()) return
      if (tree.isFull || !tree.apply(change)) {
        this.parts.reached('the follower fails')
        this.link?.close(this.name, 'the follower failed')
        return
      }
      if (!this.step()) return
    }
    this.#applied = number
    const { link } = this
    this.later(this.between(0, 2), () => {
      if (this.link !== link || this.#applied === this.#acknowledged) return
      this.#acknowledged = this.#applied
      link?.send(this.name, { kind: 'plain', code: KIND.APPLIED, value: this.#applied })
    })
  }

  #sync(path: string, token: number): void {
    const { link } = this
    this.later(this.between(1, 40), () => {
      this.parts.tree.syncPath(path)
      link?.send(this.name, { kind: 'plain', code: KIND.SYNCED, value: token })
    })
  }
}
