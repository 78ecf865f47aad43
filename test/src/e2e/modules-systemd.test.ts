/** The mirror module with a real systemd on each node: it starts, watches and stops the application's unit. */
import { fileURLToPath } from 'node:url'
import {
  type Application,
  duplicatedRunners,
  evidenceDirectory,
  type Host,
  ledger,
} from '@holdfast/lab'
import test from 'ava'
import { failsOverAndBack, packRegistry, removeGroups } from './modules.js'

const groups = `holdfast-test-systemd-${String(process.pid)}`
const unit = 'demo-ledger.service'
const server = fileURLToPath(
  new URL('../../../modules-registry/ledger/bin/ledger-server.mjs', import.meta.url),
)
const application: Application = { ...ledger, name: 'mirror', directory: '/srv/mirror' }

/** systemd does not restart it: what follows its death is decided by Holdfast. */
const unitText = `[Service]
Environment=LEDGER_DIRECTORY=${application.directory} LEDGER_PORT=8080 LEDGER_EVIDENCE=${evidenceDirectory}
ExecStart=${process.execPath} ${server} /run/ledger.pid
`

/**
 * systemd wants to be process 1, so it gets a process namespace inside of the node's, and control groups that it shares with nobody.
 * It answers only whom it sees: systemctl must run in there, too. And as on a machine its services see each mount that is made later.
 */
const prepareNode = `set -e
mkdir -p ${evidenceDirectory} /run/units
cat >/run/units/${unit}
mount --make-rshared /
mount -t tmpfs -o mode=0755 cgroup /sys/fs/cgroup
mkdir /sys/fs/cgroup/systemd
mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd
group=/sys/fs/cgroup/systemd/$0-$(hostname)-$(cat /run/boot_id)
mkdir "$group"
cat >/run/boot-systemd <<"END"
echo $$ >"$1/cgroup.procs"
hostname >/run/hostname
exec unshare --cgroup --pid --fork --kill-child --mount --propagation=slave --mount-proc sh -c '
  umount /sys/fs/cgroup/systemd && mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd
  mount --bind /run/hostname /etc/hostname
  exec env container=lxc SYSTEMD_UNIT_PATH=/run/units: /lib/systemd/systemd --system --unit=basic.target --log-target=null'
END
setsid sh /run/boot-systemd "$group" </dev/null >/dev/null 2>&1 &
pid=
tries=0
until [ -n "$pid" ] && [ -S /run/systemd/private ]; do
  for comm in $(grep -lx systemd /proc/[0-9]*/comm); do pid=$(basename "\${comm%/comm}"); done
  tries=$((tries + 1))
  [ $tries -lt 600 ] || exit 1
  sleep 0.05
done
cp /usr/bin/systemctl /run/systemctl.real
printf '#!/bin/sh\\nexec nsenter --target=%s --pid --wd=/ -- /run/systemctl.real "$@"\\n' "$pid" >/run/systemctl
chmod +x /run/systemctl
mount --bind /run/systemctl /usr/bin/systemctl
until systemctl is-system-running --wait; do
  tries=$((tries + 1))
  [ $tries -lt 600 ] || exit 1
  sleep 0.05
done
`

async function bootSystemd(host: Host): Promise<void> {
  const options = { input: unitText, timeoutMs: 60_000 }
  await host.mustRun(['sh', '-c', prepareNode, groups], options)
}

test.before(packRegistry)

test('a unit of a real systemd fails over under load and back, loses nothing, and never runs twice', async (t) => {
  t.teardown(() => removeGroups(groups))
  const watch = `<errd polltimer="1s"><proc name="${unit}" service="yes" action="restart"/></errd>`
  await failsOverAndBack(t, application, {
    parameters: { SERVICES: unit },
    edit: `s#</service>#${watch}</service>#`,
    eachBoot: bootSystemd,
    judge: async (pair) => {
      const runners = await pair.runners()
      t.true(runners.length >= 4, 'start, restart, failover and swap are a run each')
      t.deepEqual(duplicatedRunners(runners), [], 'the application ran twice')
    },
  })
})
