/** `holdfast errd on|off|enable|disable|list`. */
import { type Command, type CommandResult, HoldfastError } from '@holdfast/sdk'
import type { Monitor } from './monitor.js'
import type { Watched } from './settings.js'
import type { Switches } from './switches.js'

export function commandsOf(
  monitor: Monitor,
  entries: readonly Watched[],
  switches: Switches,
): ReadonlyMap<string, Command> {
  const turn = (on: boolean): Command => ({
    summary: on
      ? 'Watch processes and services again'
      : 'Watch no processes and services until "errd on", also after a restart',
    ...nothing,
    run: async () => {
      await switches.turn(on)
      monitor.look()
      return said(`errd is ${on ? 'on' : 'off'}`)
    },
  })
  const enable = (enabled: boolean): Command => ({
    summary: `${enabled ? 'Watch' : 'Do not watch'} the processes of a class; for scripts`,
    parameters: {
      type: 'object',
      additionalProperties: false,
      required: ['class'],
      properties: { class: { type: 'string', description: 'Attribute class of <proc>.' } },
    },
    positional: ['class'],
    run: async ({ class: name }) => {
      const known = [...new Set(entries.map((entry) => entry.class))].sort()
      const found = known.find((one) => one === name)
      if (found === undefined) {
        const hint = `classes of this module: ${known.join(', ')}`
        throw new HoldfastError('E_ERRD_CLASS', `no <proc> has the class ${String(name)}`, { hint })
      }
      await switches.enable(found, enabled)
      monitor.look()
      return said(`the class ${found} is ${enabled ? 'enabled' : 'disabled'}`)
    },
  })
  return new Map([
    ['errd on', turn(true)],
    ['errd off', turn(false)],
    ['errd enable', enable(true)],
    ['errd disable', enable(false)],
    ['errd list', list(monitor, entries, switches)],
  ])
}

const nothing = {
  parameters: { type: 'object', additionalProperties: false, properties: {} },
  positional: [],
}

function list(monitor: Monitor, entries: readonly Watched[], switches: Switches): Command {
  return {
    summary: 'The processes and services that are watched, and what was seen last',
    ...nothing,
    run: () => {
      const procs = entries.map((entry) => ({
        name: entry.ident,
        class: entry.class,
        enabled: switches.isOn && switches.isEnabled(entry.class),
        ...(monitor.seen(entry.ident) ?? { value: 'init', cause: 'it is not watched now' }),
      }))
      const lines = procs.map(
        ({ name, value, class: own, cause }) => `proc.${name} = ${value}  class ${own}  ${cause}`,
      )
      const head = switches.isOn ? [] : ['errd is off']
      return Promise.resolve({
        ok: true,
        lines: [...head, ...lines],
        data: { on: switches.isOn, procs },
      })
    },
  }
}

function said(line: string): CommandResult {
  return { ok: true, lines: [line], data: {} }
}
