/** What the operator can ask and tell: rules, resources, and whether checkers look at all. */
import { type Clock, type Command, type CommandResult, HoldfastError } from '@holdfast/sdk'
import type { FailoverDriver } from './driver/driver.js'
import type { Resource } from './decide/types.js'
import { explain, headOf, linesOf, type Now, pastLinesOf, span, switchedOff } from './explain.js'
import { resourceValues } from './language/rule.js'

type Driver = Pick<FailoverDriver, 'module' | 'state' | 'setResource' | 'switchCheckers'>

export function commandsOf(driver: Driver, clock: Clock): ReadonlyMap<string, Command> {
  const now = (): Now => ({ nowMs: clock.monotonicMs(), wallMs: clock.wallMs() })
  return new Map<string, Command>([
    [
      'failover explain',
      plain(
        'Each rule, what it looks at, why it acted or did not, and what rules did before',
        () => {
          const state = driver.state()
          const explained = explain(state, now())
          const { role, sub, cause } = driver.module()
          const lines = [
            ...headOf(state, { role, sub, cause }),
            ...linesOf(explained, now()),
            ...pastLinesOf(state, now()),
          ]
          const data = { module: { role, sub, cause }, rules: explained, past: state.past }
          return { ok: true, lines, data }
        },
      ),
    ],
    [
      'failover rules',
      plain('The rules that hold for this module, and who brought them', () => {
        const rules = driver
          .state()
          .rules.map(({ label, text, origin }) => ({ label, text, origin }))
        return {
          ok: true,
          lines: rules.map((rule) => `${rule.text}   [${rule.origin}]`),
          data: { rules },
        }
      }),
    ],
    [
      'resource list',
      plain('The resources of this module with their values', () => listed(driver, now())),
    ],
    ['resource history', historyCommand(driver)],
    ['resource set', setCommand(driver)],
    ['checker off', switchCommand(driver, false)],
    ['checker on', switchCommand(driver, true)],
  ])
}

function plain(summary: string, run: () => CommandResult): Command {
  return {
    summary,
    parameters: objectOf({}, []),
    positional: [],
    run: async () => await Promise.resolve(run()),
  }
}

function listed(driver: Driver, { wallMs }: Now): CommandResult {
  const { local, watching, checkers, enabled } = driver.state()
  const resources = [...local.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  const lines = resources.map(({ name, value, sinceWallMs, cause }) => {
    return `${name} = ${value} for ${span(wallMs - sinceWallMs)}: ${cause}`
  })
  const note = enabled ? [] : [`${switchedOff}.`]
  return {
    ok: true,
    lines: [...note, ...(lines.length === 0 ? ['no resource is watched yet'] : lines)],
    data: {
      checkers: enabled ? 'on' : 'off',
      resources: resources.map(({ name, value, sinceWallMs, cause, by }) => ({
        name,
        value,
        sinceMs: sinceWallMs,
        cause,
        by,
        when: checkers.get(name),
        watched: watching.has(name),
      })),
    },
  }
}

function historyCommand(driver: Driver): Command {
  return {
    summary: 'The last changes of one resource',
    parameters: objectOf(
      { name: { type: 'string', maxLength: 256, description: 'For example tcp.web.' } },
      ['name'],
    ),
    positional: ['name'],
    run: async (parameters) => {
      const { name, history } = resourceOf(driver, parameters['name'])
      const lines = history.map(
        ({ value, atMs, cause }) => `${new Date(atMs).toISOString()} ${value}: ${cause}`,
      )
      return await Promise.resolve({ ok: true, lines, data: { name, history } })
    },
  }
}

function setCommand(driver: Driver): Command {
  const value = { type: 'string', enum: resourceValues, description: 'What it is now.' }
  return {
    summary: 'Tells the value of a resource of class custom, for programs that check something',
    parameters: objectOf(
      {
        name: { type: 'string', maxLength: 256, description: 'For example custom.queue.' },
        value,
        by: { type: 'string', minLength: 1, maxLength: 64, description: 'Who says so.' },
        cause: { type: 'string', maxLength: 300, description: 'Why, in one sentence.' },
      },
      ['name', 'value', 'by'],
    ),
    positional: ['name', 'value'],
    run: async (parameters) => {
      const name = String(parameters['name'])
      const by = String(parameters['by'])
      const told = resourceValues.find((one) => one === parameters['value'])
      if (told === undefined)
        throw new HoldfastError(
          'E_RESOURCE_VALUE',
          `no such value; allowed: ${resourceValues.join(', ')}`,
        )
      const cause = typeof parameters['cause'] === 'string' ? parameters['cause'] : `set by ${by}`
      await driver.setResource({ name, value: told, cause, by })
      return {
        ok: true,
        lines: [`${name} = ${told}`],
        data: { name, value: told },
      }
    },
  }
}

function switchCommand(driver: Driver, enabled: boolean): Command {
  const word = enabled ? 'on' : 'off'
  return {
    summary: enabled
      ? 'Checkers look again'
      : 'Checkers look no more and rules do nothing, until "checker on"; a restart does not change it',
    parameters: objectOf({}, []),
    positional: [],
    run: async () => {
      await driver.switchCheckers(enabled)
      return { ok: true, lines: [`checkers are ${word}`], data: { checkers: word } }
    },
  }
}

function resourceOf(driver: Driver, name: unknown): Resource {
  const { local } = driver.state()
  const found = typeof name === 'string' ? local.get(name) : undefined
  if (found !== undefined) return found
  const known = [...local.keys()].sort().join(', ')
  throw new HoldfastError(
    'E_RESOURCE_UNKNOWN',
    `there is no resource ${String(name)}; there are: ${known || 'none'}`,
  )
}

function objectOf(properties: object, required: readonly string[]): object {
  return { type: 'object', additionalProperties: false, properties, required }
}
