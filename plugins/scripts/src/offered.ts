/** What other plugins get from this one: the operator's variables, and a word with the scripts of a restart. */
import { type Cancel, type ModuleScripts, ruleOfCause } from '@holdfast/sdk'

export class Offered implements ModuleScripts {
  private readonly byRule = new Map<string, readonly string[]>()

  constructor(readonly variables: Readonly<Record<string, string>>) {}

  addToRestart(label: string, more: readonly string[]): Cancel {
    this.byRule.set(label, more)
    return () => {
      // A plugin that is replaced ends after its successor has begun.
      if (this.byRule.get(label) === more) this.byRule.delete(label)
    }
  }

  /** What is added at a restart with this cause. */
  forRestart(cause: string): readonly string[] {
    const label = ruleOfCause(cause)
    return label === undefined ? [] : (this.byRule.get(label) ?? [])
  }
}
