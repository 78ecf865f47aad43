/** Can the module's scripts run on this node? Run at configuration on every node, before anything is applied. */
import type { ModuleContext } from '@holdfast/sdk'
import { filesIn, findScript, problemOf } from './bin.js'
import { scriptNames } from './decide.js'
import { environmentOf, type ScriptsConfig, variableProblem } from './settings.js'

export interface Finding {
  /** JSON pointer into the configuration. */
  readonly path: string
  readonly message: string
}

export interface CheckReport {
  readonly errors: readonly Finding[]
  readonly warnings: readonly Finding[]
}

/** `context.directories.package` is the package that is to be applied. */
export async function check(config: ScriptsConfig, context: ModuleContext): Promise<CheckReport> {
  const bin = `${context.directories.package}/bin`
  const files = await filesIn(bin)
  const environment = environmentOf(config, context, process.env, '/')
  const errors = variableFindings(config).concat(ambiguous(files))
  const warnings: string[] = []
  for (const script of scriptNames) {
    const names = [script, `${script}.sh`].filter((name) => files.includes(name))
    for (const name of names) {
      const problem = await problemOf(`${bin}/${name}`, environment['PATH'] ?? '')
      if (problem !== undefined) errors.push({ path: '/user', message: `bin/${problem}` })
    }
  }
  for (const suite of ['prim', 'both', 'second', 'sec']) {
    const starts = (await findScript(bin, `start_${suite}`)) !== undefined
    const stops = (await findScript(bin, `stop_${suite}`)) !== undefined
    if (starts && !stops) {
      warnings.push(
        `bin has start_${suite} but no stop_${suite}: what it starts is never stopped, and may run on both nodes`,
      )
    }
  }
  const starts = scriptNames.filter((script) => script.startsWith('start_'))
  if (!starts.some((script) => files.includes(script) || files.includes(`${script}.sh`))) {
    warnings.push(
      `bin has no script that starts anything (${starts.join(', ')}): only what another element starts will run`,
    )
  }
  warnings.push(...misspelt(files))
  return { errors, warnings: warnings.map((message) => ({ path: '/user', message })) }
}

function variableFindings({ user }: ScriptsConfig): Finding[] {
  const findings: Finding[] = []
  const names = (user.var ?? []).map(({ name }) => name)
  for (const [index, name] of names.entries()) {
    const problem = names.indexOf(name) < index ? `${name} is written twice` : variableProblem(name)
    if (problem !== undefined) {
      findings.push({ path: `/user/var/${String(index)}/name`, message: problem })
    }
  }
  return findings
}

function ambiguous(files: readonly string[]): Finding[] {
  return scriptNames
    .filter((script) => files.includes(script) && files.includes(`${script}.sh`))
    .map((script) => ({
      path: '/user',
      message: `bin holds both ${script} and ${script}.sh; remove one of them`,
    }))
}

/** `start_primary.sh` would never be called, and nobody would be told. */
function misspelt(files: readonly string[]): string[] {
  const known = new Set<string>(scriptNames)
  return files
    .filter((file) => /^(start|stop|pre|post)_?[a-z_]*(\.sh)?$/.test(file))
    .filter(
      (file) => !known.has(file.replace(/\.sh$/, '')) && !reserved.has(file.replace(/\.sh$/, '')),
    )
    .map((file) => `bin/${file} is not called: scripts are ${scriptNames.join(', ')}`)
}

/** Hooks of configuration commands, which other parts call. */
const reserved = new Set(['postconfig'])
