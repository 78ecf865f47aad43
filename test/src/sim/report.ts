/** What is shown of a history that failed: everything that is needed to see it again. */
import { execFileSync } from 'node:child_process'
import type { Ran, SimMachine } from './machine.js'

const linesShown = 40

export async function reportOf(machine: SimMachine, ran: Ran): Promise<string> {
  const { seed, lines, profile } = ran
  const { trace } = await machine.run({ seed, lines, profile, traced: true })
  return [
    `${machine.name} seed ${seed} (${profile}): ${failureOf(ran)}`,
    `commit ${commit()}`,
    ...trace.slice(-linesShown),
    `again: npm run sim -- --machine ${machine.name} --profile ${profile} --seed ${seed} --shrink`,
  ].join('\n')
}

export function failureOf({ violation, unhealed }: Pick<Ran, 'violation' | 'unhealed'>): string {
  if (violation !== undefined) return violation
  return unhealed === undefined ? 'no failure' : `not healed: ${unhealed}`
}

export function commit(): string {
  try {
    const text = execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' })
    return text.trim()
  } catch {
    // Unpacked from an archive: there is no history to name.
    return 'unknown'
  }
}
