/** The application: one change or sync at a time for each file, several files side by side. */
import type { Answer } from './server.js'
import { type Change, paths, zonesPerFile } from './tree.js'
import { pathsOf } from './truth.js'
import type { World } from './world.js'

export class Client {
  #values = 0
  readonly #syncing = new Set<string>()

  constructor(readonly world: World) {}

  start(): void {
    const { agenda, random } = this.world
    agenda.after(random.integer(2, 45), () => {
      this.start()
      if (this.world.clientsWrite) this.#act()
    })
  }

  #act(): void {
    const { world } = this
    const { random, truth } = world
    const { serving } = world.arbiter
    const server = serving === undefined ? undefined : world.server(serving)
    if (serving === undefined || server === undefined || !world.isAble(serving)) return
    const path = random.pick(paths)
    if (this.#isBusy(path)) return
    if (random.chance(0.12)) {
      const answered = truth.syncAsked(path)
      this.#syncing.add(path)
      const isSameServer = (): boolean => world.server(serving) === server
      server.request({
        ...{ kind: 'sync', path },
        answer: (answer) => {
          this.#syncing.delete(path)
          if (answer === 'done' && isSameServer()) answered()
        },
      })
      // Whoever waits for a server that died gets an error, and asks again.
      world.agenda.after(2_500, () => this.#syncing.delete(path))
      return
    }
    const change = this.#changeOf(path, world.tree(serving).file(path) === undefined)
    if (change === undefined) return
    truth.asked(change)
    const { holders } = world.arbiter
    const answer = (outcome: Answer): void => {
      if (world.server(serving) === server) truth.answered(serving, holders, change, outcome)
    }
    server.request({ kind: 'change', change, answer })
  }

  #isBusy(path: string): boolean {
    return this.world.truth.isBusy(path) || this.#syncing.has(path)
  }

  #changeOf(path: string, isAbsent: boolean): Change | undefined {
    const { random } = this.world
    if (isAbsent) return { kind: 'create', path }
    const chance = random.next()
    if (chance < 0.07) return { kind: 'remove', path }
    if (chance < 0.14) {
      const to = random.pick(paths)
      const change: Change = { kind: 'rename', path, to }
      return to === path || pathsOf(change).some((one) => this.#isBusy(one)) ? undefined : change
    }
    this.#values += 1
    return { kind: 'write', path, zone: random.integer(0, zonesPerFile - 1), value: this.#values }
  }
}
