/** The application of the matrix: a web server and a worker, and files in /run by which they are told to misbehave. */

export const httpPort = 8_099
export const httpsPort = 8_443

const server = `#!${process.execPath}
const { existsSync, readFileSync } = require('node:fs')
const answer = (_, response) => {
  response.statusCode = existsSync('/run/fault-status') ? 503 : 200
  response.end(existsSync('/run/fault-body') ? 'database: gone' : 'database: ok')
}
require('node:http').createServer(answer).listen(${String(httpPort)}, '127.0.0.1')
const named = (name) => ({ key: readFileSync('/run/' + name + '.key'), cert: readFileSync('/run/' + name + '.pem') })
const secure = require('node:https').createServer(named('own'), answer).listen(${String(httpsPort)}, '127.0.0.1')
process.on('SIGHUP', () => secure.setSecureContext(named(existsSync('/run/fault-tls') ? 'strange' : 'own')))
`

const start = `[ -f /run/hfworker ] || cp /bin/sleep /run/hfworker
rm -f /run/fault-status /run/fault-body /run/fault-tls /run/fault-once /run/fault-loop
setsid /run/hfworker 86413 & echo $! >/run/worker.pid
setsid "$(dirname "$0")/server" & echo $! >/run/server.pid
touch /run/dummy.state
exit 0`

const stop = `for one in worker server; do
  [ ! -f /run/$one.pid ] || kill -KILL $(cat /run/$one.pid) 2>/dev/null
done
rm -f /run/worker.pid /run/server.pid /run/dummy.state
exit 0`

/** Scripts and programs by name. */
export const application: Readonly<Record<string, string>> = {
  server,
  start_both: `#!/bin/sh\n${start}\n`,
  stop_both: `#!/bin/sh\n${stop}\n`,
}

/** Of a module that others wait for: there is nothing to start. */
export const idle: Readonly<Record<string, string>> = {
  start_both: '#!/bin/sh\nexit 0\n',
  stop_both: '#!/bin/sh\nexit 0\n',
}

/** Certificates that /run of a node needs: the server's own, and one that nobody trusts. */
export const makeCertificates = ['own', 'strange']
  .map(
    (name) =>
      `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=127.0.0.1 ` +
      `-addext subjectAltName=IP:127.0.0.1 -keyout /run/${name}.key -out /run/${name}.pem 2>/dev/null`,
  )
  .join(' && ')
