/**
 * What a successor needs should this process die: the keeper with the descriptors and the mode, files without a name, names that were
 * being exchanged. See decision 0009.
 */
import type { Standing } from '../../driver/kept.js'
import { type Inheritance, Keeper, endFormerKeeper } from '../keeper.js'
import { NamelessFiles } from '../nameless.js'
import type { Node } from '../nodes.js'
import type { PlaneParts } from '../parts.js'
import type { Volume } from '../volume.js'
import { Exchanges } from './exchanges.js'

export class Succession {
  readonly exchanges: Exchanges
  readonly #nameless = new NamelessFiles()
  /** Undefined: should this process die, the mounts die with it. */
  #keeper: Keeper | undefined

  constructor(
    readonly parts: Pick<PlaneParts, 'launch' | 'log'>,
    readonly inherited: Inheritance | undefined,
  ) {
    this.exchanges = new Exchanges(`${parts.launch.socket}.exchanges`, inherited !== undefined)
  }

  /** From now on there can be a successor. What was inherited is not needed any more. */
  async begin(volumes: readonly Volume[], standing: Standing): Promise<void> {
    const { launch } = this.parts
    const what = { volumes, queue: this.#nameless.queue }
    this.#keeper = await Keeper.start(launch.socket, what, standing, (cause) => {
      this.#keeper = undefined
      this.parts.log('warning', 'keeperForgone', { cause })
    })
    if (this.inherited !== undefined) await endFormerKeeper(this.inherited.kept)
  }

  /** To be called before anything is done in this standing. */
  note(standing: Standing): void {
    this.#keeper?.note(standing)
  }

  /** This file is about to be without a name. */
  keep(volume: Volume, node: Node): void {
    if (!this.#nameless.add(volume, node)) this.#forgo()
  }

  /** It got a name, or the kernel does not know it any more. */
  release(node: Node): void {
    this.#nameless.remove(node)
  }

  /** After each round of the loop. */
  settle(): void {
    if (!this.#nameless.settle()) this.#forgo()
  }

  /** There is nothing to succeed to. Resolves when nobody but this process has the descriptors. */
  async end(): Promise<void> {
    await this.#keeper?.end()
    this.#keeper = undefined
    this.#nameless.close()
  }

  #forgo(): void {
    this.#keeper?.forgo('too many files without a name are open')
  }
}
