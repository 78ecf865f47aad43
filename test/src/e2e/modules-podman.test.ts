/** The podman module with real containers: an image made here of the ledger, whose evidence shows who ran when. */
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

const groups = `holdfast-test-podman-${String(process.pid)}`
const directory = '/srv/podman'
const image = 'localhost/ledger:1'
const server = fileURLToPath(
  new URL('../../../modules-registry/ledger/bin/ledger-server.mjs', import.meta.url),
)

const containers: Application = {
  ...ledger,
  name: 'podman',
  // Its watcher: the lab does not see the processes of a container, which are in control groups of their own.
  process: /conmon .* -n holdfast-podman /,
  directory,
}

/**
 * Images and containers of a node are its own, and stay over a power cut; control groups are mounted anew, as the lab's node
 * has none. A machine that may not raise limits (it lacks CAP_SYS_RESOURCE) must be content with lower ones. Where groups of both versions
 * are mounted crun refuses to run; runc does not.
 */
const prepareNode = `set -e
mkdir -p /srv/containers /srv/containers-etc ${evidenceDirectory}
cp -r /etc/containers/. /srv/containers-etc
cat >/srv/containers-etc/storage.conf <<END
[storage]
driver = "overlay"
graphroot = "/srv/containers"
runroot = "/run/containers/storage"
END
cat >/srv/containers-etc/containers.conf <<END
[containers]
default_ulimits = ["nofile=1024:4096", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
END
mount --bind /srv/containers-etc /etc/containers
if grep -q '^[1-9]' /proc/self/cgroup; then
  mount -t tmpfs -o mode=0755 cgroup /sys/fs/cgroup
  for one in $(cut -d: -f2 /proc/self/cgroup | grep -E '^[a-z_,]+$'); do
    mkdir "/sys/fs/cgroup/$one"
    mount -t cgroup -o "$one" cgroup "/sys/fs/cgroup/$one"
  done
else
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
fi
podman image exists ${image} && exit
root=/run/ledger-image
mkdir -p $root/bin $root/tmp
cp "$0" $root/bin/node
cp "$1" $root/ledger-server.mjs
for library in $(ldd "$0" | grep -o '/lib[^ ]*'); do
  mkdir -p "$root$(dirname "$library")"
  cp -L "$library" "$root$library"
done
tar -C $root -cf - . | podman import --quiet - ${image}
rm -r $root
`

async function eachBoot(host: Host): Promise<void> {
  await host.mustRun(['sh', '-c', prepareNode, process.execPath, server], { timeoutMs: 60_000 })
  const env = [
    'LEDGER_DIRECTORY=/data',
    'LEDGER_PORT=8080',
    'LEDGER_EVIDENCE=/evidence',
    'HOME=/tmp',
  ]
  // Beneath the mount that comes later, and the same on both nodes.
  const input = `${env.join('\n')}\n`
  await host.mustRun(['sh', '-c', `cat >${directory}/env`], { input })
}

test.before(packRegistry)

test('a container of podman fails over under load and back, loses nothing, and never runs twice', async (t) => {
  t.teardown(() => removeGroups(groups))
  await failsOverAndBack(t, containers, {
    parameters: {
      IMAGE: image,
      PORT: '8080',
      OPTIONS: `--network=host --uts=host --cgroups=no-conmon --cgroup-parent=/${groups} --volume=${evidenceDirectory}:/evidence`,
      COMMAND: '/bin/node /ledger-server.mjs /tmp/ledger.pid',
    },
    eachBoot,
    kill: async (host) => {
      await host.mustRun(['podman', 'kill', '--signal=KILL', 'holdfast-podman'])
    },
    judge: async (pair) => {
      const runners = await pair.runners()
      t.true(runners.length >= 4, 'start, restart, failover and swap are a run each')
      t.deepEqual(duplicatedRunners(runners), [], 'the application ran twice')
    },
  })
})
