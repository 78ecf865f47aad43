/** The light topology's part of `userconfig.xml`, as the schema in plugin.json lets it through. */
import type { LightConfig } from './decide/types.js'

export interface LightSettings {
  readonly service: { readonly maxloop: number; readonly loop_interval: number }
}

const hourMs = 3_600_000

export function machineConfig({ service }: LightSettings): LightConfig {
  return { maxloop: service.maxloop, loopIntervalMs: service.loop_interval * hourMs }
}
