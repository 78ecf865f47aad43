#!/bin/sh
# Makes a bare Debian machine ready for `npm run demo`, `npm test`, `npm run chaos` or `npm run bench`: installs the few system
# packages that are missing, the npm packages of the lock file, and builds. Does nothing when nothing is to do.
set -eu

what=${1:-demo}
cd "$(dirname "$0")/.."

case $what in
demo | test | bench | chaos | postgresql) ;;
*)
  echo "usage: sh tools/setup.sh demo|test|bench|chaos|postgresql" >&2
  exit 2
  ;;
esac

if [ "$(id -u)" != 0 ]; then
  echo "npm run $what makes network namespaces and mounts file systems, so it must run as root: use sudo, or a root shell" >&2
  exit 1
fi

missing=
# need COMMAND PACKAGE: remembers the package when the command is not there.
need() {
  PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
# need_file PATTERN PACKAGE: the same for what is no command.
need_file() {
  # shellcheck disable=SC2086 # A pattern.
  ls $1 >/dev/null 2>&1 || missing="$missing $2"
}
need_postgresql() {
  need_file '/usr/lib/postgresql/*/bin/postgres' postgresql
}

if [ "$what" != postgresql ]; then
  need ip iproute2
  need nft nftables
  need nsenter util-linux
  need mount mount
  need ps procps
fi
case $what in
test)
  need setfattr attr
  need setfacl acl
  need setcap libcap2-bin
  need python3 python3
  need ping iputils-ping
  need etcd etcd-server
  need promtool prometheus
  need openssl openssl
  need_file '/usr/lib/*/faketime/libfaketimeMT.so.1' libfaketime
  need_postgresql
  need mariadbd mariadb-server
  need nginx nginx
  need apache2 apache2
  need firebird firebird3.0-server
  need isql-fb firebird3.0-utils
  need systemctl systemd
  need podman podman
  need runc runc
  need_file /usr/lib/ocf/resource.d/heartbeat/anything resource-agents
  ;;
chaos)
  need_file '/usr/lib/*/faketime/libfaketimeMT.so.1' libfaketime
  need_postgresql
  ;;
bench)
  need fio fio
  need mkfs.ext4 e2fsprogs
  need_postgresql
  ;;
postgresql) need_postgresql ;;
esac

# Runs a command silently; when it fails, shows what it said and ends.
quietly() {
  said=$(mktemp)
  if ! "$@" >"$said" 2>&1; then
    cat "$said" >&2
    rm -f "$said"
    echo "setup: this command failed: $*" >&2
    exit 1
  fi
  rm -f "$said"
}

policy_is_ours=no
remove_policy() {
  [ $policy_is_ours = no ] || rm -f /usr/sbin/policy-rc.d
}

install_packages() {
  if ! command -v apt-get >/dev/null 2>&1; then
    echo "setup: these packages are missing and this machine has no apt-get to install them:$missing" >&2
    exit 1
  fi
  # Nothing may start by itself: the machine's own services are none of our business, and a database
  # cluster of the package would only hold the port.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e $policy ]; then
    policy_is_ours=yes
    trap remove_policy EXIT
    trap 'exit 1' INT TERM
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
  fi
  conf=/etc/postgresql-common/createcluster.conf
  case $missing in
  *postgresql*)
    if [ ! -e $conf ]; then
      mkdir -p /etc/postgresql-common
      echo 'create_main_cluster = false' >$conf
    fi
    ;;
  esac
  echo "setup: installing$missing" >&2
  export DEBIAN_FRONTEND=noninteractive
  quietly apt-get -qq update
  # shellcheck disable=SC2086 # A list of package names.
  quietly apt-get -qq install -y --no-install-recommends \
    -o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout=120 $missing
  remove_policy
}

[ -z "$missing" ] || install_packages
[ "$what" != postgresql ] || exit 0

if [ ! -e /dev/fuse ]; then
  mknod /dev/fuse c 10 229 2>/dev/null || {
    echo "setup: this kernel or container offers no /dev/fuse, which the file replication needs" >&2
    exit 1
  }
fi

lock=$(cksum <package-lock.json)
force=
if [ ! -d node_modules ] || [ "$(cat .setup-stamp 2>/dev/null)" != "$lock" ]; then
  echo "setup: npm ci" >&2
  quietly npm ci --ignore-scripts --no-audit --no-fund
  echo "$lock" >.setup-stamp
  # What was built against other packages looks finished to the compiler.
  force=--force
fi

# shellcheck disable=SC2086 # No word when it is empty.
quietly node node_modules/typescript7/bin/tsc -b $force
