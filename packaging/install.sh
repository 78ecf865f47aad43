#!/bin/sh
# Installs Holdfast from a built source tree: /usr/lib/holdfast, the commands, the group, the systemd unit.
# Run it again to upgrade: the running daemon is not touched, and neither is any application. DESTDIR is for packagers.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
destination=${DESTDIR:-}
library=$destination/usr/lib/holdfast

fail() {
  echo "install: $1" >&2
  exit 1
}

[ -n "$destination" ] || [ "$(id -u)" = 0 ] || fail "run it as root"
command -v node >/dev/null || fail "node is missing: install Node.js 20.19 or newer"
node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
  fail "Node.js $(node -v) is too old: 20.19 or newer is needed"
for command in ip ss mount umount; do
  PATH="$PATH:/usr/sbin:/sbin" command -v $command >/dev/null || fail "$command is missing: install iproute2 and mount"
done
for part in sdk core plugins/mirror plugins/rfs plugins/vip plugins/scripts plugins/api plugins/registry \
  plugins/witness-server plugins/witness-etcd plugins/witness-ping plugins/watchdog plugins/systemd \
  tools/pack tools/cli tools/new-plugin tools/new-module; do
  [ -d "$root/$part/dist" ] || fail "$part is not built: run npm ci --ignore-scripts && npm run build first"
done

staging=$library.new
rm -rf "$staging"
mkdir -p "$staging/bin"
trap 'rm -rf "$staging"' EXIT
cp "$root/package.json" "$root/package-lock.json" "$root/LICENSE" "$root/README.md" "$staging/"
# npm wants every workspace of the lock file; only those of the product get their code.
for manifest in "$root"/sdk/package.json "$root"/core/package.json "$root"/test/package.json \
  "$root"/plugins/*/package.json "$root"/tools/*/package.json; do
  part=${manifest#"$root"/}
  part=${part%/package.json}
  mkdir -p "$staging/$part"
  cp "$manifest" "$staging/$part/"
  case $part in
  sdk | core | plugins/* | tools/pack | tools/cli | tools/new-plugin | tools/new-module)
    cp -R "$root/$part/dist" "$staging/$part/"
    [ ! -f "$root/$part/plugin.json" ] || cp "$root/$part/plugin.json" "$staging/$part/"
    ;;
  esac
done
find "$staging" \( -name '*.test.js' -o -name '*.test.d.ts' -o -name '*.map' \) -exec rm -f {} +
# The modules that are delivered: archives and their index.
node "$root/tools/pack/dist/main.js" >/dev/null || fail "the modules can't be packed"
mkdir -p "$staging/modules-registry"
cp -R "$root/modules-registry/dist" "$root/modules-registry/lib" "$staging/modules-registry/"
(cd "$staging" && npm ci --omit=dev --ignore-scripts --no-audit --no-fund --silent) ||
  fail "npm ci failed in $staging"
chmod 755 "$staging/core/dist/main.js" "$staging/tools/cli/dist/main.js" \
  "$staging/tools/new-plugin/dist/main.js" "$staging/tools/new-module/dist/main.js" \
  "$staging/plugins/witness-server/dist/server/main.js"
ln -s ../core/dist/main.js "$staging/bin/holdfastd"
ln -s ../tools/cli/dist/main.js "$staging/bin/holdfast"
ln -s ../tools/new-plugin/dist/main.js "$staging/bin/holdfast-plugin"
ln -s ../tools/new-module/dist/main.js "$staging/bin/holdfast-module"
ln -s ../plugins/witness-server/dist/server/main.js "$staging/bin/holdfast-witness"

# Two renames: what runs keeps the files that it has open.
rm -rf "$library.old"
[ ! -e "$library" ] || mv "$library" "$library.old"
mv "$staging" "$library"
rm -rf "$library.old"
trap - EXIT

mkdir -p "$destination/usr/bin" "$destination/usr/sbin" "$destination/usr/lib/systemd/system"
for command in holdfast holdfast-plugin holdfast-module; do
  ln -sf ../lib/holdfast/bin/$command "$destination/usr/bin/$command"
done
ln -sf ../lib/holdfast/bin/holdfastd "$destination/usr/sbin/holdfastd"
ln -sf ../lib/holdfast/bin/holdfast-witness "$destination/usr/sbin/holdfast-witness"
cp "$root/packaging/holdfastd.service" "$root/packaging/holdfast-shutdown.service" \
  "$destination/usr/lib/systemd/system/"

if [ -z "$destination" ]; then
  # Members of this group may give orders to the cluster; root always may.
  getent group holdfast >/dev/null || groupadd --system holdfast
  if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    echo "installed; now: systemctl enable --now holdfastd holdfast-shutdown (upgrade: systemctl restart holdfastd, the application goes on)"
    exit 0
  fi
fi
echo "installed in $library"
