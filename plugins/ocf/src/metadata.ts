/** What a resource agent says about itself: its parameters, and how long its actions may take. Pure. */

export interface Parameter {
  readonly name: string
  readonly required: boolean
}

export function parametersOf(metaData: string): readonly Parameter[] {
  return tagsOf(metaData, 'parameter').flatMap((tag) => {
    const name = tag('name')
    return name === undefined
      ? []
      : [{ name, required: /^(1|true|yes)$/.test(tag('required') ?? '') }]
  })
}

/** What is wrong with the parameters of an agent, each a sentence. */
export function parameterProblems(
  given: readonly { readonly name: string }[],
  known: readonly Parameter[],
): readonly string[] {
  const names = known.map(({ name }) => name)
  const unknown = given
    .filter(({ name }) => !names.includes(name))
    .map(({ name }) => `the agent has no parameter "${name}"; it has ${names.join(', ') || 'none'}`)
  const missing = known
    .filter(({ name, required }) => required && !given.some((one) => one.name === name))
    .map(({ name }) => `the agent requires the parameter "${name}"`)
  return [...unknown, ...missing]
}

/** Advised times in milliseconds; undefined: the agent says nothing. */
export interface AdvisedTimes {
  readonly startMs: number | undefined
  readonly stopMs: number | undefined
  readonly monitorMs: number | undefined
  readonly everyMs: number | undefined
}

/** `level`: which of several monitors. */
export function advisedTimes(metaData: string, level: number): AdvisedTimes {
  const actions = tagsOf(metaData, 'action')
  const named = (name: string): Tag | undefined => actions.find((tag) => tag('name') === name)
  const monitor =
    actions.find(
      (tag) =>
        tag('name') === 'monitor' &&
        Number(tag('depth') ?? 0) === level &&
        !/^(master|promoted)$/i.test(tag('role') ?? ''),
    ) ?? named('monitor')
  return {
    startMs: millisecondsOf(named('start')?.('timeout')),
    stopMs: millisecondsOf(named('stop')?.('timeout')),
    monitorMs: millisecondsOf(monitor?.('timeout')),
    everyMs: millisecondsOf(monitor?.('interval')),
  }
}

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, min: 60_000 }

/** `20s`, or seconds without a unit. Zero is no advice. */
function millisecondsOf(text: string | undefined): number | undefined {
  const [, digits = '', unit = 's'] = /^\s*(\d+)\s*(ms|s|m|min)?\s*$/.exec(text ?? '') ?? []
  const milliseconds = Number(digits) * (unitsMs[unit] ?? 0)
  return milliseconds > 0 ? milliseconds : undefined
}

/** The value of an attribute. */
type Tag = (attribute: string) => string | undefined

function tagsOf(metaData: string, name: string): readonly Tag[] {
  const tags = metaData.matchAll(new RegExp(`<${name}\\s([^>]*)>`, 'g'))
  return [...tags].map(
    ([, attributes = '']) =>
      (attribute) =>
        new RegExp(`\\b${attribute}\\s*=\\s*["']([^"']*)["']`).exec(attributes)?.[1],
  )
}
