/** Shows what an order leads to, until the state is stable. */
import type { OperatorCommand } from '@holdfast/sdk'
import { readEvents } from '../api/events.js'
import type { ModuleView, StateView } from '../api/views.js'
import { progressLine, stateColour, stateText } from '../output/format.js'
import type { Context } from '../spec.js'
import { type Outcome, outcomeOf } from './decide.js'

export interface Order {
  readonly module: string
  /** Undefined: this node. */
  readonly node: string | undefined
  readonly command: OperatorCommand
  readonly timeoutMs: number
  /** Before each line; empty for a single node. */
  readonly label: string
}

export interface Result {
  readonly outcome: Exclude<Outcome, 'going'>
  readonly state: StateView | undefined
}

const tickMs = 100
const pollMs = 200

/** Watches before `give` gives the order, so that no change is missed. */
export async function follow(
  context: Context,
  order: Order,
  give: () => Promise<void>,
): Promise<Result> {
  const watch = new Watch(context, order)
  try {
    await watch.begin()
    await give()
    return await watch.outcome()
  } finally {
    watch.end()
  }
}

class Watch {
  readonly #context: Context
  readonly #order: Order
  readonly #abort = new AbortController()
  #before: StateView | undefined
  #now: StateView | undefined
  #changed = false
  #streaming = false
  #changedAtMs = performance.now()
  #orderedAtMs = performance.now()

  constructor(context: Context, order: Order) {
    this.#context = context
    this.#order = order
  }

  async begin(): Promise<void> {
    this.#before = await this.#ask()
    this.#now = this.#before
    if (this.#order.node !== undefined) return
    const question = { query: { module: this.#order.module } }
    const { client } = this.#context
    const response = await client.stream('/events', question, {}, this.#abort.signal)
    // When the stream ends before the result is there (a restart of holdfastd), polling goes on.
    void readEvents(response, ({ name, content }) => {
      if (name !== 'moduleState') return
      const { state } = content as { readonly state: StateView } // The document of the API.
      this.#see(state)
    }).then(() => {
      this.#streaming = false
    })
    this.#streaming = true
  }

  /** Every wait here has the order's time-out above it. */
  async outcome(): Promise<Result> {
    const { timeoutMs, command } = this.#order
    this.#orderedAtMs = performance.now()
    let polledAtMs = this.#orderedAtMs
    for (;;) {
      const at = performance.now()
      if (!this.#streaming && at - polledAtMs >= pollMs) {
        this.#see(await this.#ask())
        polledAtMs = performance.now()
      }
      const outcome = outcomeOf({
        order: command,
        before: this.#before,
        now: this.#now,
        changed: this.#changed,
        heldMs: at - Math.max(this.#changedAtMs, this.#orderedAtMs),
        sinceOrderMs: at - this.#orderedAtMs,
        timeoutMs,
      })
      if (outcome !== 'going') return { outcome, state: this.#now }
      await new Promise((resolve) => setTimeout(resolve, tickMs))
    }
  }

  end(): void {
    this.#abort.abort()
  }

  async #ask(): Promise<StateView | undefined> {
    const { module, node } = this.#order
    const path = `/modules/${encodeURIComponent(module)}`
    return (await this.#context.client.get<ModuleView>(path, { node })).state
  }

  #see(state: StateView | undefined): void {
    if (state === undefined) return
    const last = this.#now
    this.#now = state
    if (last === undefined || isOtherState(last, state)) {
      this.#changed = true
      this.#changedAtMs = performance.now()
    }
    if (last === undefined || isOtherState(last, state) || isOtherStory(last, state)) {
      this.#show(state)
    }
    if (state.progress !== undefined) {
      this.#context.terminal.status(`${this.#order.label}          ${progressLine(state.progress)}`)
    }
  }

  #show(state: StateView): void {
    const { terminal } = this.#context
    const seconds = (performance.now() - this.#orderedAtMs) / 1000
    const at = `+${Math.max(0, seconds).toFixed(1)}s`.padStart(8)
    const name = terminal.colour(stateColour(state), stateText(state).padEnd(18))
    const detail = state.detail === undefined ? '' : `${state.detail} · `
    terminal.out(`${this.#order.label}${at}  ${name}  ${detail}${state.cause}`)
  }
}

function isOtherState(one: StateView, other: StateView): boolean {
  return one.role !== other.role || one.sub !== other.sub || one.sinceMs !== other.sinceMs
}

function isOtherStory(one: StateView, other: StateView): boolean {
  return one.detail !== other.detail || one.cause !== other.cause
}
