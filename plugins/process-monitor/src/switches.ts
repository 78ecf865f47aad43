/** What the operator and the scripts have switched: all on or off for good, classes until the machine is restarted. */
import type { Store } from '@holdfast/sdk'
import { isOwnClass } from './settings.js'

interface Kept {
  readonly format: 1
  readonly on: boolean
}

interface KeptClasses {
  readonly format: 1
  readonly classes: Readonly<Record<string, boolean>>
}

export class Switches {
  private constructor(
    private readonly store: Store,
    private on: boolean,
    private classes: Readonly<Record<string, boolean>>,
  ) {}

  static async open(store: Store): Promise<Switches> {
    const kept = await store.read<Kept>('switch')
    const classes = await store.volatile.read<KeptClasses>('classes')
    return new Switches(store, kept?.on ?? true, classes?.classes ?? {})
  }

  get isOn(): boolean {
    return this.on
  }

  isEnabled(name: string): boolean {
    return this.classes[name] ?? !isOwnClass(name)
  }

  async turn(on: boolean): Promise<void> {
    await this.store.write('switch', { format: 1, on } satisfies Kept)
    this.on = on
  }

  async enable(name: string, enabled: boolean): Promise<void> {
    const classes = { ...this.classes, [name]: enabled }
    await this.store.volatile.write('classes', { format: 1, classes } satisfies KeptClasses)
    this.classes = classes
  }
}
