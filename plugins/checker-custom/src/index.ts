/** Programs of the operator as checkers: endless ones that tell by themselves, and short ones whose exit code tells. */
import {
  checker,
  clock,
  definePlugin,
  type Exec,
  exec,
  log,
  looking,
  moduleContext,
  moduleScripts,
  optional,
  ruleOf,
  type Seen,
} from '@holdfast/sdk'
import { Loop } from './loop.js'
import {
  type CustomConfig,
  type CustomEntry,
  type Finding,
  problemsOf,
  type Program,
  programOf,
  seenOf,
} from './settings.js'

const needs = { clock, exec, log, module: moduleContext, scripts: optional(moduleScripts) }

export const plugin = definePlugin<typeof needs, CustomConfig>({
  needs,
  activate({ clock, exec, log, module, scripts }, { check }, scope) {
    for (const entry of check.custom) {
      const name = `custom.${entry.ident}`
      const program = programOf(entry, module, scripts)
      const times = {
        everyMs: entry.interval * 1_000,
        timeoutMs: entry.timeout * 1_000,
        downAfter: entry.retries + 1,
      }
      const loop = new Loop({ name, program, clock, log })
      const watch =
        entry.mode === 'loop'
          ? { start: loop.start.bind(loop), stop: loop.stop.bind(loop) }
          : looking(clock, times, (signal) => runOnce(exec, entry, program, signal))
      const rule = ruleOf('c', { ...entry, action: entry.action ?? 'noaction' }, 'noaction')
      scope.contribute(checker, name, { when: entry.when, rule, ...watch })
    }
  },
})

export function check(config: CustomConfig): { readonly errors: readonly Finding[] } {
  return { errors: problemsOf(config) }
}

async function runOnce(
  exec: Exec,
  entry: CustomEntry,
  program: Program,
  signal: AbortSignal,
): Promise<Seen> {
  const result = await exec.run(program.path, program.args, {
    timeoutMs: entry.timeout * 1_000,
    env: program.env,
    cwd: program.directory,
    signal,
  })
  if (result.code !== undefined) return seenOf(entry, result.code, result.stdout + result.stderr)
  const how = result.timedOut ? 'it took too long' : `ended by ${result.signal ?? 'a signal'}`
  return { value: 'down', cause: how }
}
