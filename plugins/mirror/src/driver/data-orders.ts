/** Orders of the machine to the replicated data of the module; a module without any has its copies finished at once. */
import {
  assertNever,
  done,
  type Log,
  messageOf,
  refused,
  type Replica,
  type Verdict,
} from '@holdfast/sdk'
import { formatGeneration, identityOf } from '../decide/lineage.js'
import type { Action, Event } from '../decide/types.js'

export type DataAction = Extract<
  Action,
  { kind: 'admit' | 'follow' | 'unfollow' | 'detach' | 'refuse' }
>

export class DataOrders {
  readonly #replica: Replica | undefined
  readonly #log: Log
  readonly #wallMs: () => number
  readonly #post: (event: Event) => void

  constructor(parts: {
    readonly replica: Replica | undefined
    readonly log: Log
    readonly wallMs: () => number
    readonly post: (event: Event) => void
  }) {
    this.#replica = parts.replica
    this.#log = parts.log
    this.#wallMs = parts.wallMs
    this.#post = parts.post
  }

  async perform(action: DataAction): Promise<void> {
    switch (action.kind) {
      case 'admit':
        answered(this.#replica?.admit(action), (verdict) => {
          this.#post({ kind: 'admitDone', epoch: action.epoch, verdict })
          if (this.#replica !== undefined) return
          this.#post({ kind: 'copyFinished', epoch: action.epoch })
        })
        return
      case 'follow': {
        const { epoch, full, abandons } = action
        const own = abandons === undefined ? {} : { abandons: identityOf(abandons) }
        answered(this.#replica?.follow({ epoch, full, ...own }), (verdict) => {
          this.#post({ kind: 'followDone', epoch, verdict })
        })
        return
      }
      case 'unfollow':
        await this.#inOrder('unfollow', this.#replica?.unfollow())
        return
      case 'refuse':
        await this.#inOrder('refuse', this.#replica?.refuse())
        return
      case 'detach': {
        const generation = formatGeneration(action.generation)
        const order = this.#replica?.detach({ epoch: action.epoch, generation })
        await this.#inOrder('detach', order)
        return
      }
      default:
        assertNever(action)
    }
  }

  /** An order that must be carried out before the next action. If it can't be, the data side has failed. */
  async #inOrder(what: string, order: Promise<Verdict> | undefined): Promise<void> {
    const verdict = await Promise.resolve(order ?? done).catch(failed)
    if (verdict.ok) return
    this.#log.write('warning', 'orderFailed', { what, reason: verdict.reason })
    const cause = `${what}: ${verdict.reason}`
    this.#post({ kind: 'dataFailed', cause, wallMs: this.#wallMs() })
  }
}

/** An order whose answer comes as an event. A rejection is an answer too. */
export function answered(
  order: Promise<Verdict> | undefined,
  then: (verdict: Verdict) => void,
): void {
  Promise.resolve(order ?? done).then(then, (thrown: unknown) => then(failed(thrown)))
}

function failed(thrown: unknown): Verdict {
  return refused('E_MIRROR_ORDER', messageOf(thrown))
}
