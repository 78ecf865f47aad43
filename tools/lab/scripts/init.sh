#!/bin/sh
# Process 1 of a lab node: gives the node its own file systems, tells its process id, then only reaps zombies.
# Usage: init.sh NODE_DIRECTORY NODE_NAME HIDDEN_PATH_TO_KEEP...   (inside fresh net, mount, pid, uts and ipc namespaces)
set -eu
directory=$1
name=$2
shift 2

# The old /proc is still mounted here, so this is the id of this shell outside of the node.
read -r outside_pid _ </proc/self/stat

hostname "$name" 2>/dev/null || echo "$name" >/proc/sys/kernel/hostname

# What must stay visible although /tmp, /run or /srv are about to be covered (a checkout below /tmp, for instance).
mount -t tmpfs -o mode=0700 tmpfs "$directory/keep"
index=0
for path in "$@"; do
  index=$((index + 1))
  mkdir "$directory/keep/$index"
  mount --bind "$path" "$directory/keep/$index"
done

mount -t proc proc /proc
mount -t sysfs sysfs /sys
[ ! -d /sys/fs/fuse/connections ] || mount -t fusectl fusectl /sys/fs/fuse/connections 2>/dev/null || true
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t tmpfs -o mode=0755 tmpfs /run
mount --bind "$directory/disk/etc-holdfast" /etc/holdfast
mount --bind "$directory/disk/var-lib-holdfast" /var/lib/holdfast
mount --bind "$directory/disk/srv" /srv
mount -t tmpfs -o mode=1777 tmpfs /tmp
mkdir -m 1777 /run/lock

# Another boot: whoever compares boot ids must see it, as after a real power cycle.
cat /proc/sys/kernel/random/uuid >/run/boot_id
mount --bind /run/boot_id /proc/sys/kernel/random/boot_id

index=0
for path in "$@"; do
  index=$((index + 1))
  mkdir -p "$path"
  mount --bind "$directory/keep/$index" "$path"
done

ip link set lo up

echo "$outside_pid" >"$directory/init.pid.new"
mv "$directory/init.pid.new" "$directory/init.pid"

# A shell that waits for a child also reaps every orphan it was given.
trap : HUP INT TERM
while :; do
  sleep 3600 || true
done
