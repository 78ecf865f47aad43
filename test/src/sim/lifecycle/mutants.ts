/** Known-bad variants of configuring a module and of activating its plugins: the sweep must catch each. */
import {
  Coordinator,
  type Outcome,
  Participant,
  type PlannedPlugin,
  PluginSet,
} from '@holdfast/core/decisions'
import type { Verdict } from '@holdfast/sdk'
import type { KnownBad } from '../machine.js'
import type { Mutation } from './world.js'

interface Mutant extends KnownBad {
  readonly mutation: Mutation
}

/** A coordinator that was restarted has not decided anything, as far as it knows. */
class Forgetful extends Coordinator {
  override async outcome(transaction: string): Promise<Outcome> {
    const outcome = await super.outcome(transaction)
    return outcome === 'committed' ? 'aborted' : outcome
  }
}

/** Whoever asks while the order is being carried out is told that it failed. */
class Hasty extends Coordinator {
  override async outcome(transaction: string): Promise<Outcome> {
    const outcome = await super.outcome(transaction)
    return outcome === 'pending' ? 'aborted' : outcome
  }
}

/** Presumes that what was prepared is carried out. */
class Presuming extends Coordinator {
  override async outcome(transaction: string): Promise<Outcome> {
    const outcome = await super.outcome(transaction)
    return outcome === 'aborted' ? 'committed' : outcome
  }
}

/** Starts anew without what it had promised. */
class Oblivious extends Participant {
  override open(): Promise<void> {
    return Promise.resolve()
  }
}

/** Lets a second order in while the first waits for its decision. */
class Crowded extends Participant {
  override isPending(): boolean {
    return false
  }
}

/** Says that it is prepared, whatever its check says. */
class Careless extends Participant {
  override async prepare(
    ...[pending, sources]: Parameters<Participant['prepare']>
  ): ReturnType<Participant['prepare']> {
    const prepared = await super.prepare(pending, sources)
    return { ...prepared, findings: [] }
  }
}

/** Does not stop what it replaces. */
class Piling extends PluginSet {
  override stop(): Promise<Verdict> {
    return Promise.resolve({ ok: true })
  }
}

/** Says that all is well, whatever failed. */
class Hiding extends PluginSet {
  override async apply(plan: readonly PlannedPlugin[]): Promise<Verdict> {
    await super.apply(plan)
    return { ok: true }
  }
}

export const mutants: readonly Mutant[] = [
  {
    name: 'forgets-decisions',
    mistake: 'does not keep what it decided',
    mutation: { Coordinator: Forgetful },
  },
  {
    name: 'aborts-while-running',
    mistake: 'says that an order failed that it is still carrying out',
    mutation: { Coordinator: Hasty },
  },
  {
    name: 'presumes-commit',
    mistake: 'takes an order without a decision for one that was accepted',
    mutation: { Coordinator: Presuming },
  },
  {
    name: 'forgets-promises',
    mistake: 'does not remember after a restart what it had prepared',
    mutation: { Participant: Oblivious },
  },
  {
    name: 'answers-early',
    mistake: 'answers questions before it has read what it promised',
    mutation: { answersEarly: true },
  },
  {
    name: 'two-at-a-time',
    mistake: 'prepares a second order while the first waits for its decision',
    mutation: { Participant: Crowded },
  },
  {
    name: 'ignores-findings',
    mistake: 'agrees to what its own check refuses',
    mutation: { Participant: Careless },
  },
  {
    name: 'never-stops',
    mistake: 'leaves the plugins of a configuration that is gone',
    mutation: { PluginSet: Piling },
  },
  {
    name: 'hides-failures',
    mistake: 'says that a set is active of which a plugin failed',
    mutation: { PluginSet: Hiding },
  },
]

export function mutationNamed(name: string | undefined): Mutation | undefined {
  return mutants.find((one) => one.name === name)?.mutation
}
