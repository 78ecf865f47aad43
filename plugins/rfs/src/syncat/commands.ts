/** `holdfast rfs sync`: a synchronisation now, beside those of the schedule. */
import { type Command, HoldfastError } from '@holdfast/sdk'
import type { Syncat } from './syncat.js'

/** `syncat`: undefined when the module has none; whoever asks all the same is told so. */
export function syncatCommands(syncat: Syncat | undefined): ReadonlyMap<string, Command> {
  return new Map<string, Command>([
    [
      'rfs sync',
      {
        summary: 'synchronise now, beside the times of syncat; on the node that waits',
        parameters: { type: 'object', additionalProperties: false, properties: {} },
        positional: [],
        run: async () => {
          if (syncat === undefined) {
            throw new HoldfastError('E_RFS_NO_SYNCAT', '<rfs> of this module has no syncat', {
              hint: 'a secondary has every change at once; one that was away is made equal by "start"',
            })
          }
          await syncat.now()
          return { ok: true, lines: ['the synchronisation begins'], data: {} }
        },
      },
    ],
  ])
}
