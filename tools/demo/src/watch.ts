/** Shows each change of state of each node as it happens. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Product } from '@holdfast/lab'
import type { Terminal } from './terminal.js'

const everyMs = 50

export class StateWatch {
  readonly #nodes: readonly Product[]
  readonly #module: string
  readonly #terminal: Terminal
  readonly #shown = new Map<string, string>()
  #ended = false
  #loop: Promise<void> | undefined
  /** The most bytes of content that a resynchronisation under way was seen to have sent. */
  copiedBytes = 0

  constructor(nodes: readonly Product[], module: string, terminal: Terminal) {
    this.#nodes = nodes
    this.#module = module
    this.#terminal = terminal
  }

  start(): void {
    this.#loop = this.#run()
  }

  async end(): Promise<void> {
    this.#ended = true
    await this.#loop
  }

  async #run(): Promise<void> {
    while (!this.#ended) {
      for (const node of this.#nodes) await this.#look(node)
      await delay(everyMs)
    }
  }

  async #look(node: Product): Promise<void> {
    const name = node.host.name
    const answer = await node.module(this.#module)
    const state = answer?.state
    this.copiedBytes = Math.max(this.copiedBytes, state?.progress?.bytesDone ?? 0)
    const shown =
      state === undefined
        ? (await node.host.isOn())
          ? (answer?.failure?.code ?? '?')
          : 'OFF'
        : `${state.role} ${state.sub}`
    // A daemon that does not answer for a moment has no new state.
    if (shown === '?' || shown === this.#shown.get(name)) return
    this.#shown.set(name, shown)
    this.#terminal.state(name, shown, state?.cause ?? answer?.failure?.reason ?? '')
  }
}
