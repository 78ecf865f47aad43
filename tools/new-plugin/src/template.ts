/** The files of a new plugin: a checker that opens a TCP connection. It builds, passes its tests and packs as it is. */

/** Path → text. `name` is the class of its resources and its element: `redis` makes `<check><redis>`. */
export function templateFiles(id: string, name: string): Readonly<Record<string, string>> {
  return {
    'plugin.json': `${JSON.stringify(manifest(id, name), undefined, 2)}\n`,
    'package.json': `${JSON.stringify(packageOf(id, name), undefined, 2)}\n`,
    'tsconfig.json': `${JSON.stringify(tsconfig, undefined, 2)}\n`,
    'contract.json': `${JSON.stringify({ config: { check: { [name]: [{ ident: 'a' }] } } }, undefined, 2)}\n`,
    'README.md': readme(id, name),
    'src/index.ts': source(name),
    'src/index.test.ts': testSource(name),
    '.gitignore': 'node_modules/\ndist/\n*.hfp\n*.key\n',
  }
}

function manifest(id: string, name: string): object {
  const text = (description: string, more: object): object => ({
    type: 'string',
    description,
    ...more,
  })
  const one = {
    type: 'object',
    additionalProperties: false,
    required: ['ident'],
    properties: {
      ident: text('Name of the resource in the rules, after the dot.', {
        pattern: '^[A-Za-z0-9_-]{1,32}$',
      }),
      addr: text('Address of the server.', { default: '127.0.0.1', minLength: 1, maxLength: 255 }),
      port: {
        type: 'integer',
        description: 'Its port.',
        minimum: 1,
        maximum: 65_535,
        default: 6379,
      },
      interval: {
        type: 'integer',
        'x-duration': 's',
        description: 'Time between two looks.',
        minimum: 1,
        maximum: 86_400,
        default: 10,
      },
    },
  }
  const frame = {
    type: 'object',
    'x-shared': true,
    additionalProperties: false,
    properties: { [name]: { type: 'array', maxItems: 32, items: one } },
  }
  return {
    id,
    version: '1.0.0',
    engines: { holdfast: '^0.1.0' },
    entry: 'dist/index.js',
    scope: 'module',
    platforms: ['linux'],
    needs: ['core.clock'],
    provides: [],
    contributes: ['point.checker'],
    requires: { failover: '^0.1.0' },
    conflicts: [],
    capabilities: ['net.connect'],
    dynamic: true,
    config: { type: 'object', additionalProperties: false, properties: { check: frame } },
    startTimeoutMs: 5_000,
    stopTimeoutMs: 5_000,
  }
}

function packageOf(id: string, name: string): object {
  return {
    name: id,
    version: '1.0.0',
    description: `Watches a server: <check><${name}>`,
    private: true,
    type: 'module',
    files: ['dist'],
    scripts: {
      build: 'tsc',
      test: 'tsc && node --test dist/ && holdfast-plugin check .',
      pack: 'tsc && holdfast-plugin pack .',
    },
  }
}

const tsconfig = {
  compilerOptions: {
    target: 'es2022',
    module: 'nodenext',
    rootDir: 'src',
    outDir: 'dist',
    strict: true,
    skipLibCheck: true,
    types: ['node'],
  },
  include: ['src'],
}

function source(name: string): string {
  return `/** Is the server there? <check><${name} ident="a" addr="127.0.0.1" port="6379" interval="10s"/></check> */
import { once } from 'node:events'
import { connect } from 'node:net'
import { checker, clock, definePlugin, entryProblems, looking } from '@holdfast/sdk'

interface Target {
  readonly ident: string
  readonly addr: string
  readonly port: number
  readonly interval: number
}

interface Config {
  readonly check: { readonly ${name}: readonly Target[] }
}

const needs = { clock }

export const plugin = definePlugin<typeof needs, Config>({
  needs,
  activate({ clock }, { check }, scope) {
    for (const { ident, addr, port, interval } of check.${name}) {
      const times = { everyMs: interval * 1000, timeoutMs: 2000 }
      scope.contribute(checker, \`${name}.\${ident}\`, {
        when: 'prim',
        rule: { label: \`${name}_\${ident}\`, action: 'restart' },
        ...looking(clock, times, (signal) => look(addr, port, signal)),
      })
    }
  },
})

/** Asked before a configuration is applied: a name that is written twice is refused with its place. */
export function check({ check }: Config) {
  const entries = check.${name}.map(({ ident }) => ({ ident, when: 'prim' as const }))
  return { errors: entryProblems('/check/${name}', entries), warnings: [] }
}

async function look(host: string, port: number, signal: AbortSignal): Promise<string> {
  const socket = connect({ host, port, signal })
  try {
    await once(socket, 'connect', { signal })
    return \`\${host} accepts connections on port \${port}\`
  } finally {
    socket.destroy()
  }
}
`
}

function testSource(name: string): string {
  return `import { strict as assert } from 'node:assert'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import test from 'node:test'
import { checker } from '@holdfast/sdk'
import { startPlugin } from '@holdfast/sdk/testing'
import { plugin } from './index.js'

test('a server that goes is down, and one that comes back is up', async (t) => {
  const server = createServer((socket) => socket.end())
  t.after(() => server.close()) // Otherwise a test that fails never ends.
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const target = { ident: 'a', addr: '127.0.0.1', port, interval: 10 }
  const host = await startPlugin(plugin, { config: { check: { ${name}: [target] } } })
  let said: (value: string) => void = () => {}
  const next = () => new Promise<string>((resolve) => (said = resolve))
  const first = next()
  await host.contribution(checker, '${name}.a').start((value) => said(value))
  assert.equal(await first, 'up')
  await new Promise((resolve) => server.close(resolve))
  const second = next()
  await host.clock.pass(10_000)
  assert.equal(await second, 'down')
  await host.stop()
})
`
}

function readme(id: string, name: string): string {
  return `# ${id}

Watches a server: the resource \`${name}.IDENT\` is up when it accepts connections.

\`\`\`xml
<check><${name} ident="a" addr="127.0.0.1" port="6379" interval="10s"/></check>
\`\`\`

What it never does: start, stop or change the server. When it can't connect within 2 s, the resource is down.
`
}
