/** Real servers of the distribution as applications of the end to end tests: how they are prepared, used and read. */
import {
  type Application,
  type Host,
  parseEntries,
  startFileClients,
  startSqlClients,
  virtualIp,
} from '@holdfast/lab'

const password = `test-${Math.random().toString(36).slice(2)}`

/** What the tests of modules don't ask of an application. */
const unread: Pick<Application, 'readFiles' | 'settle' | 'check'> = {
  readFiles: () => Promise.resolve(undefined),
  settle: () => Promise.resolve(),
  check: () => Promise.resolve(undefined),
}

const mariadbLogin = { MYSQL_PWD: password }
const mariadbClient = ['mariadb', '--no-defaults', '--batch', '--skip-column-names']
const mariadbRemote = [
  ...mariadbClient,
  '--unbuffered',
  '--connect-timeout=1',
  `--host=${virtualIp}`,
  '--user=demo',
  'demo',
]

export const mariadb: Application = {
  ...unread,
  name: 'mariadb',
  process: /^\S*mariadbd .*--datadir=/,
  directory: '/srv/mariadb',
  async prepare(node) {
    const input =
      `CREATE DATABASE demo; CREATE USER demo IDENTIFIED BY '${password}';` +
      'GRANT ALL ON demo.* TO demo; CREATE TABLE demo.entries (id VARCHAR(64) PRIMARY KEY);'
    await node.mustRun([...mariadbClient, '--socket=/run/holdfast-mariadb/mariadb.sock'], { input })
  },
  async startClients(client, recordFile, load) {
    await startSqlClients(client, recordFile, {
      statement:
        "INSERT IGNORE INTO entries VALUES (':id'); " +
        "SELECT id, @@hostname FROM entries WHERE id = ':id';",
      program: mariadbRemote,
      env: mariadbLogin,
      load,
    })
  },
  async entries(client) {
    const all = "SELECT CONCAT('0 ', id) FROM entries"
    const text = await client.mustRun([...mariadbRemote, `--execute=${all}`], { env: mariadbLogin })
    return parseEntries(text)
  },
}

const firebirdDatabase = '/srv/firebird/data/demo.fdb'
/** The package gives each machine its own. */
const firebirdPassword = 'sed -n s/^ISC_PASSWORD=//p /etc/firebird/3.0/SYSDBA.password | tr -d \\"'
const isql = [
  'sh',
  '-c',
  `ISC_USER=SYSDBA ISC_PASSWORD=$(${firebirdPassword}) exec isql-fb -q "$@"`,
  'isql',
]
const isqlRemote = [...isql, `${virtualIp}:${firebirdDatabase}`]

export const firebird: Application = {
  ...unread,
  name: 'firebird',
  process: /^\S*firebird -p /,
  directory: '/srv/firebird',
  async prepare(node) {
    const input =
      `CREATE DATABASE 'localhost:${firebirdDatabase}';` +
      'CREATE TABLE entries (id VARCHAR(64) PRIMARY KEY); COMMIT;'
    await node.mustRun(isql, { input })
  },
  async startClients(client, recordFile, load) {
    await startSqlClients(client, recordFile, {
      statement:
        "UPDATE OR INSERT INTO entries (id) VALUES (':id') MATCHING (id); COMMIT; " +
        "SELECT id || ' ' || 'unknown' FROM entries WHERE id = ':id'; COMMIT;",
      program: isqlRemote,
      env: {},
      load,
    })
  },
  async entries(client) {
    const input = "SET HEADING OFF; SELECT '0 ' || id FROM entries;\n"
    return parseEntries(await client.mustRun(isqlRemote, { input }))
  },
}

/** A web server that takes files: `settings` allow that, and are found below the replicated directory. */
function webServer(
  name: string,
  process: RegExp,
  settings: { readonly file: string; readonly text: string },
): Application {
  const directory = `/srv/${name}`
  const url = `http://${virtualIp}/files`
  return {
    ...unread,
    name,
    process,
    directory,
    async prepare(node) {
      await writeOn(node, `${directory}/${settings.file}`, settings.text)
      const files = `${directory}/html/files`
      await node.mustRun(['install', '-d', '-o', 'www-data', '-g', 'www-data', files])
      await node.mustRun(['/run/bin/holdfast', 'restart', '-m', name])
    },
    startClients: (client, recordFile, load) => startFileClients(client, recordFile, url, load),
    async entries(client) {
      const list = `process.stdout.write(await (await fetch('${url}/')).text())`
      const text = await client.mustRun([
        globalThis.process.execPath,
        '--input-type=module',
        '-e',
        list,
      ])
      return new Map([...text.matchAll(/href="(w[0-9]+-[0-9]+)"/g)].map(([, id]) => [id ?? '', 0]))
    },
  }
}

export const nginx = webServer('nginx', /^nginx: /, {
  file: 'server.d/files.conf',
  text: `
    location /files/ {
      dav_methods PUT;
      autoindex on;
      autoindex_exact_size off;
      add_header X-Node $hostname always;
    }
  `,
})

export const apache = webServer('apache', /^\S*apache2 -f /, {
  file: 'conf.d/files.conf',
  text: `
    LoadModule dav_module /usr/lib/apache2/modules/mod_dav.so
    LoadModule dav_fs_module /usr/lib/apache2/modules/mod_dav_fs.so
    LoadModule headers_module /usr/lib/apache2/modules/mod_headers.so
    DavLockDB \${HOLDFAST_RUNTIME}/dav-lock
    <Location /files>
      Dav on
      Header always set X-Node "expr=%{osenv:HOLDFAST_NODE}"
    </Location>
  `,
})

async function writeOn(node: Host, file: string, text: string): Promise<void> {
  await node.mustRun(['sh', '-c', 'cat >"$0"', file], { input: text })
}
