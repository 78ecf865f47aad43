/** `holdfast rfs sync`: a synchronisation now, beside those of the schedule. */
import type { Command } from '@holdfast/sdk'
import type { Syncat } from './syncat.js'

export function syncatCommands(syncat: Syncat): ReadonlyMap<string, Command> {
  return new Map<string, Command>([
    [
      'rfs sync',
      {
        summary: 'synchronise now, beside the times of syncat; on the node that waits',
        parameters: { type: 'object', additionalProperties: false, properties: {} },
        positional: [],
        run: async () => {
          await syncat.now()
          return { ok: true, lines: ['the synchronisation begins'], data: {} }
        },
      },
    ],
  ])
}
