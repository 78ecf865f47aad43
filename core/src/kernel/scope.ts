/** What a plugin gives during its activation. Sealed when the activation ends, in whatever way. */
import {
  HoldfastError,
  type PluginManifest,
  type Point,
  type Scope,
  type Token,
} from '@holdfast/sdk'

export const stopsMax = 256

export interface Contribution {
  readonly point: string
  readonly id: string
  readonly plugin: string
  readonly value: unknown
}

export type Stop = () => Promise<void> | void

/** Collects; the kernel publishes what was collected only after the whole activation worked. */
export class CollectingScope implements Scope {
  readonly contributions: Contribution[] = []
  readonly provided = new Map<string, unknown>()
  readonly stops: Stop[] = []
  private sealed = false

  constructor(
    private readonly manifest: PluginManifest,
    /** Is this contribution id taken by a plugin that is active already? */
    private readonly isTaken: (point: string, id: string) => boolean,
  ) {}

  contribute<T>(point: Point<T>, id: string, contribution: T): void {
    this.assertOpen(`contribute to ${point.id}`)
    if (!this.manifest.contributes.includes(point.id)) {
      throw this.refusal('E_PLUGIN_CONTRIBUTION', `contributes to ${point.id} without saying so`)
    }
    const twice = this.contributions.some((one) => one.point === point.id && one.id === id)
    if (twice || this.isTaken(point.id, id)) {
      throw this.refusal('E_PLUGIN_CONTRIBUTION', `contributes "${id}" to ${point.id} twice`)
    }
    this.contributions.push({ point: point.id, id, plugin: this.manifest.id, value: contribution })
  }

  provide<T>(token: Token<T>, instance: T): void {
    this.assertOpen(`provide ${token.id}`)
    if (!this.manifest.provides.includes(token.id)) {
      throw this.refusal('E_PLUGIN_PROVIDES', `provides ${token.id} without saying so`)
    }
    if (this.provided.has(token.id) || instance === undefined || instance === null) {
      throw this.refusal('E_PLUGIN_PROVIDES', `must provide ${token.id} once, with an instance`)
    }
    this.provided.set(token.id, instance)
  }

  onStop(stop: Stop): void {
    this.assertOpen('register onStop')
    if (this.stops.length >= stopsMax) {
      throw this.refusal('E_PLUGIN_STOPS', `registers more than ${String(stopsMax)} stops`)
    }
    this.stops.push(stop)
  }

  seal(): void {
    this.sealed = true
  }

  /** Throws when something that the manifest promises was not given: whoever needs it would wait in vain. */
  assertComplete(): void {
    const missing = this.manifest.provides.filter((token) => !this.provided.has(token))
    if (missing.length > 0) {
      throw this.refusal('E_PLUGIN_PROVIDES', `did not provide ${missing.join(', ')}`)
    }
  }

  private assertOpen(what: string): void {
    if (this.sealed) throw this.refusal('E_PLUGIN_SEALED', `tried to ${what} after its activation`)
  }

  private refusal(code: string, what: string): HoldfastError {
    return new HoldfastError(code, `plugin ${this.manifest.id} ${what}`)
  }
}
