/** The files of a new module: a mirror with a small server of its own, which its author replaces by the application. */

/** Path → text; what is in `bin` and ends with no `.sh` is executable. */
export function templateFiles(id: string): Readonly<Record<string, string>> {
  return {
    'module.json': `${JSON.stringify(manifest(id), undefined, 2)}\n`,
    'README.md': readme(id),
    'conf/userconfig.xml': configuration(id),
    'bin/settings.sh': settings,
    'bin/server.mjs': server,
    'bin/start_prim': startPrim,
    'bin/stop_prim': stopPrim,
  }
}

/** Files of modules-registry/lib that the scripts read: outside of the registry a module has copies of its own. */
export const sharedFiles = ['prestart', 'server.sh', 'wait.sh'] as const

/** The same words as in the modules that are delivered. */
const isolation =
  'the other node is silent, and dead or only cut off: "alone" goes on by itself (cut off, both run and one loses its writes), "wait" does not before somebody says "holdfast prim"'

const plugins = ['checker-tcp', 'mirror', 'rfs', 'scripts', 'vip'] as const

function manifest(id: string): object {
  const text = (title: string, pattern: string): object => ({ type: 'string', title, pattern })
  return {
    id,
    version: '0.1.0',
    title: `${id}, with its data on both nodes`,
    platforms: ['linux'],
    requires: Object.fromEntries(plugins.map((plugin) => [plugin, '^0.1.0'])),
    parameters: {
      type: 'object',
      required: ['DIRECTORY', 'VIRTUAL_IP', 'PORT', 'HEART_TIMEOUT', 'ISOLATION'],
      properties: {
        DIRECTORY: text('directory that is replicated; it must exist on both nodes', '^/[^ ]+$'),
        VIRTUAL_IP: text('address that clients use', '^[0-9A-Fa-f.:]+$'),
        PORT: { type: 'integer', title: 'TCP port', minimum: 1, maximum: 65_535 },
        HEART_TIMEOUT: text(
          'silence after which the other node counts as lost',
          '^[0-9]+(ms|s|m)$',
        ),
        ISOLATION: { type: 'string', title: isolation, enum: ['alone', 'wait'] },
      },
    },
  }
}

function configuration(id: string): string {
  return `<safe>
  <!-- What an operator chooses; "holdfast module info" explains each. -->
  <macro name="DIRECTORY" value="/srv/${id}"/>
  <macro name="VIRTUAL_IP" value=""/>
  <macro name="PORT" value="8080"/>
  <macro name="HEART_TIMEOUT" value="5s"/>
  <!-- alone or wait. With a witness: wait. -->
  <macro name="ISOLATION" value=""/>

  <service mode="mirror" isolation="%ISOLATION%">
    <heart timeout="%HEART_TIMEOUT%"/>
    <vip tcpreset="on">
      <interface_list>
        <interface>
          <real_interface>
            <virtual_addr addr="%VIRTUAL_IP%" where="one_side_alias"/>
          </real_interface>
        </interface>
      </interface_list>
    </vip>
    <rfs timeout="%HEART_TIMEOUT%">
      <replicated dir="%DIRECTORY%"/>
    </rfs>
    <user nicestoptimeout="30s" forcestoptimeout="30s">
      <var name="APP_DIRECTORY" value="%DIRECTORY%"/>
      <var name="APP_PORT" value="%PORT%"/>
    </user>
    <!-- A server that dies is started again. -->
    <check>
      <tcp ident="clients" when="prim" action="restart">
        <to addr="127.0.0.1" port="%PORT%" interval="2s" timeout="5s" retries="1"/>
      </tcp>
    </check>
  </service>
</safe>
`
}

const settings = `#!/bin/sh
# Read by the other scripts: which program it is, and how its process is recognised. server.sh says what the names mean.
program=$SAFEUSERBIN/server.mjs
server_name=node
server_words=$program
server_log=$SAFEUSERVAR/server.log
. "$SAFEUSERBIN/server.sh"

accepts_clients() {
  port_listens "$APP_PORT"
}
`

const startPrim = `#!/bin/sh
# Starts the application and returns when it accepts clients.
set -u
. "$SAFEUSERBIN/settings.sh"
start_server 20 accepts_clients "$program" "$APP_DIRECTORY" "$APP_PORT"
`

const stopPrim = `#!/bin/sh
# Stops the application and returns when it has ended. First argument "force": kills it.
set -u
. "$SAFEUSERBIN/settings.sh"
signal=TERM
[ "\${1:-}" != force ] || signal=KILL
stop_server $signal 20
`

const server = `#!/usr/bin/env node
/** Stands for your application: serves the files of a directory. server.mjs DIRECTORY PORT */
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join, normalize } from 'node:path'

const [directory, port] = process.argv.slice(2)

createServer(async (request, response) => {
  const path = normalize(new URL(request.url, 'http://server').pathname)
  try {
    response.end(await readFile(join(directory, path)))
  } catch (error) {
    response.writeHead(404).end(\`\${error.message}\\n\`)
  }
}).listen(Number(port))
`

function readme(id: string): string {
  return `# ${id}

What it is for, in one sentence.

\`\`\`
holdfast module install ${id} . --param VIRTUAL_IP=10.0.0.100 --param ISOLATION=wait
holdfast module config ${id}
holdfast prim -m ${id}
\`\`\`

| parameter       | default       | what                                                              |
| --------------- | ------------- | ----------------------------------------------------------------- |
| \`DIRECTORY\`     | \`/srv/${id}\` | replicated directory; it must exist on both nodes, without spaces |
| \`VIRTUAL_IP\`    | must be given | the address that clients use                                      |
| \`PORT\`          | \`8080\`        | TCP port                                                          |
| \`HEART_TIMEOUT\` | \`5s\`          | silence after which the other node counts as lost                 |
| \`ISOLATION\`     | must be given | \`alone\` or \`wait\`: what a node does when it can't tell a dead node from a cut cable; with a witness \`wait\` |

What it never does, and how it fails.
`
}
