/** process-monitor: processes and services that must run, `<errd><proc name="mysqld" atleast="1"/></errd>`. */
import {
  checker,
  clock,
  command,
  definePlugin,
  exec,
  log,
  moduleContext,
  moduleScripts,
  optional,
  remark,
  ruleOf,
  store,
} from '@holdfast/sdk'
import { existsSync } from 'node:fs'
import { commandsOf } from './commands.js'
import { Monitor } from './monitor.js'
import { type ErrdConfig, type Finding, problemsOf, watchedOf } from './settings.js'
import { Switches } from './switches.js'

const needs = { clock, exec, log, store, module: moduleContext, scripts: optional(moduleScripts) }

export const plugin = definePlugin<typeof needs, ErrdConfig>({
  needs,
  async activate(deps, { errd }, scope) {
    const entries = errd.proc.map(watchedOf)
    const switches = await Switches.open(deps.store)
    const monitor = new Monitor({ ...deps, switches, pollMs: errd.polltimer * 1_000 })
    for (const entry of entries) {
      const { ident, when, restartServices } = entry
      const rule = ruleOf('proc', entry, 'stopstart')
      scope.contribute(checker, `proc.${ident}`, { when, rule, ...monitor.checker(entry) })
      if (rule === undefined || restartServices.length === 0) continue
      if (deps.scripts === undefined) {
        const text = `restart_services of ${ident}: the module has no <user>, so no script is told`
        deps.log.write('warning', 'servicesUntold', { text })
        continue
      }
      const more = ['-Services', restartServices.join(', ')]
      scope.onStop(deps.scripts.addToRestart(rule.label, more))
    }
    for (const [words, one] of commandsOf(monitor, entries, switches)) {
      scope.contribute(command, words, one)
    }
    scope.contribute(remark, 'errd', {
      text: () =>
        switches.isOn
          ? undefined
          : 'errd is off: nobody looks at processes and services until "holdfast errd on"',
    })
  },
})

/** Asked on each node before a configuration is applied. */
export function check(config: ErrdConfig): { readonly errors: readonly Finding[] } {
  return { errors: problemsOf(config, { hasSystemd: existsSync('/run/systemd/system') }) }
}
