/** The contract suite over every plugin of Holdfast: the same that others run over theirs. */
import { readdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkContract, type ContractSetting } from '@holdfast/plugin-tools'
import test from 'ava'

const plugins = fileURLToPath(new URL('../../../plugins/', import.meta.url))

const check = (name: string, items: object): ContractSetting => ({
  config: { check: { [name]: [items] } },
})

/** Configurations for plugins that can't start with their defaults. */
function settingOf(id: string, directory: string): ContractSetting | undefined {
  const settings: Readonly<Record<string, ContractSetting>> = {
    api: { config: { socket: join(directory, 'api.sock') } },
    mirror: { config: { service: { mode: 'mirror' } } },
    light: { config: { service: { mode: 'light' } } },
    rfs: { config: { rfs: { replicated: [{ dir: directory }] } } },
    scripts: { config: { user: {} } },
    watchdog: { config: { watchdog: { mode: 'off' } } },
    vip: {
      config: {
        vip: {
          interface_list: {
            interface: [
              {
                real_interface: { virtual_addr: [{ addr: '192.0.2.9', where: 'one_side_alias' }] },
              },
            ],
          },
        },
      },
    },
    'witness-etcd': {
      config: { 'witness-etcd': { endpoints: 'http://127.0.0.1:1', cluster: 'c' } },
    },
    'witness-ping': { config: { 'witness-ping': { addr: '192.0.2.1' } } },
    'witness-server': { config: { witness: { server: [{ addr: '127.0.0.1' }] } } },
    'checker-tcp': check('tcp', { ident: 'a', to: { addr: '127.0.0.1', port: 1 } }),
  }
  return settings[id]
}

const ids = readdirSync(plugins, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name)
  .filter((id) => readdirSync(join(plugins, id)).includes('plugin.json'))

for (const id of ids) {
  test(`the plugin ${id} keeps the contract`, async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'hfc-'))
    t.teardown(() => rm(directory, { recursive: true }))
    const results = await checkContract(join(plugins, id), settingOf(id, directory))
    t.deepEqual(
      results.filter(({ broken }) => broken !== undefined),
      [],
    )
  })
}
