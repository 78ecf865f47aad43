/** What a daemon that is restarted goes on with: the values as they were, and whether the operator switched checkers off. */
import { type Clock, type Log, messageOf, type Store } from '@holdfast/sdk'
import type { Held, PastAction, Resource, State } from '../decide/types.js'

const format = 1
const resourcesName = 'resources'
const switchName = 'switch'
/** Of all resources together: what is kept must fit into one state of the store. */
export const historyKeptMax = 1_000
/** Values that change often are written once in this time. */
const writeAfterMs = 500

interface KeptResources {
  readonly format: typeof format
  readonly local: readonly Resource[]
  readonly held: Held | undefined
  /** Absent: written by a daemon before there was such a list. */
  readonly past?: readonly PastAction[]
}

interface KeptSwitch {
  readonly format: typeof format
  readonly enabled: boolean
}

export class Kept {
  private wanted: State | undefined
  private writing: Promise<void> | undefined
  private isArmed = false

  constructor(
    private readonly store: Store,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /** Values are gone after a reboot: what was up then says nothing about now. The switch stays. */
  async read(): Promise<Pick<State, 'local' | 'held' | 'past' | 'enabled'>> {
    const resources = await this.store.volatile.read<KeptResources>(resourcesName)
    const enabled = (await this.store.read<KeptSwitch>(switchName))?.enabled ?? true
    const known = resources?.format === format ? resources : undefined
    const local = new Map((known?.local ?? []).map((resource) => [resource.name, resource]))
    return { local, held: known?.held, past: known?.past ?? [], enabled }
  }

  async writeSwitch(enabled: boolean): Promise<void> {
    await this.store.write(switchName, { format, enabled } satisfies KeptSwitch)
  }

  /** Soon; a newer state replaces one that waits. */
  keep(state: State): void {
    this.wanted = state
    if (this.isArmed) return
    this.isArmed = true
    this.clock.after(writeAfterMs, () => {
      this.isArmed = false
      void this.tryFlush()
    })
  }

  /** As `flush`; that it failed is only logged: the next daemon begins with `init`, less comfortable, not less safe. */
  async tryFlush(): Promise<void> {
    try {
      await this.flush()
    } catch (thrown) {
      this.log.write('warning', 'resourcesNotKept', { text: messageOf(thrown) })
    }
  }

  /** Returns when everything that was given to `keep` before is written. */
  async flush(): Promise<void> {
    while (this.wanted !== undefined || this.writing !== undefined) {
      this.writing ??= this.write()
      await this.writing
    }
  }

  private async write(): Promise<void> {
    const state = this.wanted
    this.wanted = undefined
    try {
      if (state === undefined) return
      const local = shortened([...state.local.values()])
      const { held, past } = state
      const value: KeptResources = { format, local, held, past }
      await this.store.volatile.write(resourcesName, value)
    } finally {
      this.writing = undefined
    }
  }
}

function shortened(resources: readonly Resource[]): readonly Resource[] {
  const each = Math.max(1, Math.floor(historyKeptMax / Math.max(1, resources.length)))
  return resources.map((one) => ({ ...one, history: one.history.slice(-each) }))
}
