/** scripts: the module's own scripts start and stop the application with each change of role. */
import { fileURLToPath } from 'node:url'
import {
  clock,
  definePlugin,
  log,
  messageOf,
  moduleContext,
  moduleScripts,
  program,
  resource,
  store,
} from '@holdfast/sdk'
import { ScriptsDriver } from './driver.js'
import { Offered } from './offered.js'
import { type ScriptsConfig, variablesOf } from './settings.js'

export { check } from './check.js'
export { delays } from './settings.js'

const needs = { clock, log, module: moduleContext, programs: program, store }
const tidyPeriodMs = 60_000

export const plugin = definePlugin<typeof needs, ScriptsConfig>({
  needs,
  activate(deps, config, scope) {
    const installation = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '')
    const offered = new Offered(variablesOf(config))
    const driver = new ScriptsDriver({ ...deps, config, offered, installation })
    const cancel = deps.clock.every(tidyPeriodMs, () => {
      driver.tidy().catch((error: unknown) => {
        deps.log.write('warning', 'outputNotTidied', { cause: messageOf(error) })
      })
    })
    scope.contribute(resource, 'scripts', driver)
    scope.provide(moduleScripts, offered)
    // Scripts that run go on: the next daemon learns their results.
    scope.onStop(cancel)
  },
})
