/** Known-bad variants of replication: the sweep must catch each. */
import { decideScope, fateOf, modeAfter } from '@holdfast/plugin-rfs/decisions'
import type { KnownBad } from '../machine.js'
import type { Rules } from './rules.js'

interface Mutant extends KnownBad {
  readonly rules: Partial<Rules>
}

export const mutants: readonly Mutant[] = [
  {
    name: 'skips-delta',
    mistake: 'goes live without what was changed during the copy',
    rules: { copiesDelta: false },
  },
  {
    name: 'acknowledges-early',
    mistake: 'answers before the follower has the change',
    rules: { waitsForFollower: false },
  },
  {
    name: 'journals-late',
    mistake: 'keeps its keys in memory only',
    rules: { journalsFirst: false },
  },
  {
    name: 'clears-early',
    mistake: 'drops the keys of a window before both disks have it',
    rules: { waitsForBothDisks: false },
  },
  {
    name: 'forgets-the-boot',
    mistake: 'trusts a journal that was not synced when the machine was started again',
    rules: { knowsBoot: false },
  },
  {
    name: 'own-keys-only',
    mistake: 'ignores what the journal of the follower says',
    rules: { unitesKeys: false },
  },
  {
    name: 'any-base',
    mistake: 'takes keys for the difference to a state that the other node never had',
    rules: {
      decideScope: ({ full, source, target }) =>
        decideScope({
          full,
          source,
          target: source.base === undefined ? target : { ...target, base: source.base },
        }),
    },
  },
  {
    name: 'trusts-anything',
    mistake: 'trusts journals that say that they are not to be trusted',
    rules: {
      decideScope: ({ full, source, target }) =>
        full
          ? decideScope({ full, source, target })
          : { scope: 'keys', why: 'both journals tell what may differ' },
    },
  },
  {
    name: 'current-too-early',
    mistake: 'calls a follower current while the server may still go on alone',
    rules: { currentWhenLive: false },
  },
  {
    name: 'one-disk',
    mistake: 'answers an fsync when one disk has it',
    rules: { syncsBoth: false },
  },
  {
    name: 'copy-unsynced',
    mistake: 'calls a copy current that is not on the disk',
    rules: { syncsCopy: false },
  },
  {
    name: 'clean-unsynced',
    mistake: 'calls a journal clean while the tree is not synced',
    rules: { syncsBeforeClean: false },
  },
  {
    name: 'search-nothing',
    mistake: 'believes that nobody changes files while it is stopped',
    rules: { searches: false },
  },
  {
    name: 'hides-by-changing',
    mistake: 'looks for what others changed when its own changes have hidden it',
    rules: { searchesFirst: false },
  },
  {
    name: 'believes-the-clock',
    mistake: 'does not notice that the clock was set back',
    rules: { knowsClock: false },
  },
  {
    name: 'goes-on-alone',
    mistake: 'acknowledges alone as soon as the link is lost, without the right to it',
    rules: { modeAfter: (mode, event) => (event === 'lost' ? 'alone' : modeAfter(mode, event)) },
  },
  {
    name: 'writes-in-the-last-round',
    mistake: 'lets changes through while the last round is copied',
    rules: { fateOf: (mode, { full }) => fateOf(mode, { lastRound: false, full }) },
  },
  {
    name: 'ready-unasked',
    mistake: 'goes live before the follower says that its copy is done',
    rules: { mayGoLive: ({ equal }) => equal },
  },
]

export function rulesNamed(name: string | undefined): Partial<Rules> {
  return mutants.find((one) => one.name === name)?.rules ?? {}
}
