/** A plugin as somebody else writes it. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { packPlugin } from '@holdfast/plugin-tools'

/** A checker that looks whether there is a file. Returns its archive. */
export async function flagPlugin(
  directory: string,
  version: string,
  keyFile: string,
): Promise<string> {
  const project = join(directory, `checker-flag-${version}`)
  const item = { type: 'object', properties: { ident: { type: 'string' } } }
  const properties = { flag: { type: 'array', items: item } }
  const manifest = {
    ...{ id: 'checker-flag', version, engines: { holdfast: '^0.1.0' }, entry: 'dist/index.js' },
    ...{
      scope: 'module',
      platforms: ['linux'],
      needs: ['core.clock'],
      provides: [],
      conflicts: [],
    },
    ...{ contributes: ['point.checker'], requires: { failover: '^0.1.0' }, dynamic: true },
    ...{ capabilities: ['fs.read:/run/flag'], startTimeoutMs: 10_000, stopTimeoutMs: 10_000 },
    config: {
      type: 'object',
      properties: { check: { type: 'object', 'x-shared': true, properties } },
    },
  }
  const code = `
    import { access } from 'node:fs/promises'
    import { checker, clock, definePlugin, looking } from '@holdfast/sdk'
    const look = () => access('/run/flag').then(() => 'it is there (${version})')
    export const plugin = definePlugin({
      needs: { clock },
      activate({ clock }, { check }, scope) {
        for (const { ident } of check.flag) {
          const rule = { label: 'flag_' + ident, action: 'restart' }
          const times = { everyMs: 1000, timeoutMs: 500 }
          scope.contribute(checker, 'flag.' + ident, { when: 'prim', rule, ...looking(clock, times, look) })
        }
      },
    })`
  await mkdir(join(project, 'dist'), { recursive: true })
  await writeFile(join(project, 'plugin.json'), JSON.stringify(manifest))
  await writeFile(join(project, 'package.json'), '{ "type": "module" }')
  await writeFile(join(project, 'dist/index.js'), code)
  return await packPlugin(project, { keyFile })
}
