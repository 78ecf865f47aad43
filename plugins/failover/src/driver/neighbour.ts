/** Tells the other node the values here, and hears its own: `remote.` in rules. */
import type { Cancel, Clock, Peers, ResourceValue } from '@holdfast/sdk'
import { resourcesMax } from '../decide/resource.js'
import type { Resource } from '../decide/types.js'
import { resourceValues } from '../language/rule.js'

/** Values that change often are told once in this time. */
const tellAfterMs = 100
const silenceTimeoutMs = 5_000

export interface NeighbourParts {
  readonly peers: Peers
  readonly clock: Clock
  readonly periodMs: number
  readonly told: (values: ReadonlyMap<string, ResourceValue>) => void
  readonly lost: () => void
}

export class Neighbour {
  private readonly cancels: Cancel[] = []
  private values: ReadonlyMap<string, Resource> = new Map()
  private isArmed = false

  constructor(private readonly parts: NeighbourParts) {}

  /** Only a module on two nodes has the one other node that `remote.` means. */
  begin(): void {
    const { peers, clock, periodMs, told, lost } = this.parts
    const [other, third] = peers.others
    if (other === undefined || third !== undefined) return
    this.cancels.push(
      peers.onMessage((node, body) => {
        const values = node === other ? parseValues(body) : undefined
        if (values !== undefined) told(values)
      }),
      peers.watch(other, { timeoutMs: silenceTimeoutMs, lans: [] }, ({ kind }) => {
        if (kind === 'peerConnected') this.send()
        else if (kind !== 'peerHeard') lost()
      }),
      clock.every(periodMs, () => this.send()),
    )
  }

  end(): void {
    for (const cancel of this.cancels.splice(0)) cancel()
  }

  tell(values: ReadonlyMap<string, Resource>): void {
    this.values = values
    if (this.isArmed) return
    this.isArmed = true
    this.parts.clock.after(tellAfterMs, () => {
      this.isArmed = false
      this.send()
    })
  }

  /** What can't be sent now is told again: when the stream opens, and with the next period. */
  private send(): void {
    const { peers } = this.parts
    const [other] = peers.others
    if (other === undefined || this.cancels.length === 0) return
    const values = [...this.values.values()].map(({ name, value }) => [name, value])
    peers.send(other, { kind: 'resources', values })
  }
}

/** The peer may be of another version: what is not understood is left out. */
export function parseValues(body: unknown): ReadonlyMap<string, ResourceValue> | undefined {
  if (typeof body !== 'object' || body === null || !('values' in body)) return undefined
  if (!Array.isArray(body.values)) return undefined
  const values = new Map<string, ResourceValue>()
  for (const pair of body.values.slice(0, resourcesMax) as unknown[]) {
    // Elements are checked one by one.
    if (!Array.isArray(pair)) continue
    const [name, value] = pair as unknown[] // Checked below.
    const known = resourceValues.find((one) => one === value)
    if (typeof name === 'string' && name.length <= 256 && known !== undefined)
      values.set(name, known)
  }
  return values
}
