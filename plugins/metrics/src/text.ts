/** The text format of Prometheus (version 0.0.4). Pure. */

export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Figure {
  readonly name: string
  readonly type: 'gauge' | 'counter'
  readonly help: string
  readonly samples: readonly Sample[]
}

/** A figure without samples is left out: its name alone says nothing. */
export function textOf(figures: readonly Figure[]): string {
  return figures.flatMap((figure) => (figure.samples.length === 0 ? [] : linesOf(figure))).join('')
}

function linesOf({ name, type, help, samples }: Figure): string[] {
  return [
    `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n`,
    `# TYPE ${name} ${type}\n`,
    ...samples.map(({ labels, value }) => `${name}${labelsOf(labels)} ${numberOf(value)}\n`),
  ]
}

function numberOf(value: number): string {
  if (Number.isFinite(value) || Number.isNaN(value)) return String(value)
  return value > 0 ? '+Inf' : '-Inf'
}

function labelsOf(labels: Sample['labels']): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
