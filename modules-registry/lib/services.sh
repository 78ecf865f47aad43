#!/bin/sh
# Read by scripts of modules: an application that is a list of systemd services. SERVICES names them in the order of
# their start, separated by commas; they are stopped in the reverse order.
. "$SAFEUSERBIN/wait.sh"

# How long one service may take to become active after systemd said that it is started.
active_seconds=${SERVICE_ACTIVE_SECONDS:-10}

services() {
  echo "${SERVICES:-}" | tr ',' '\n' | tr -d ' \t' | grep -v '^$'
}

services_reversed() {
  services | sed -n '1!G;h;$p'
}

is_active() {
  systemctl is-active --quiet "$1"
}

# Neither running nor on the way there or back. "failed" counts: systemd has ended what was left of it.
is_down() {
  case $(systemctl is-active "$1" 2>/dev/null) in
  inactive | failed | unknown) return 0 ;;
  *) return 1 ;;
  esac
}

# Holdfast starts the application, and nothing else may: a service that starts at boot would run on both nodes.
prepare_services() {
  [ -n "$(services)" ] || fail "SERVICES names no service: holdfast module info shows the parameters"
  for service in $(services); do
    systemctl cat "$service" >/dev/null 2>&1 || fail "there is no service $service on this node"
    case $(systemctl is-enabled "$service" 2>/dev/null) in
    enabled | enabled-runtime)
      systemctl disable --quiet "$service" || fail "the service $service starts at boot, and that can't be switched off"
      echo "$service does not start at boot any more: Holdfast starts it"
      ;;
    esac
  done
}

start_services() {
  for service in $(services); do
    systemctl start "$service" || fail "$service did not start: journalctl -u $service tells why"
    wait_until "$active_seconds" is_active "$service" ||
      fail "$service was started, but is not active after $active_seconds seconds"
    echo "$service is active"
  done
}

# stop_services [force]: with force, what does not end by itself is killed.
stop_services() {
  still=
  for service in $(services_reversed); do
    is_down "$service" && continue
    [ "${1:-}" != force ] || systemctl kill --signal=KILL "$service" 2>/dev/null
    systemctl stop "$service"
    if wait_until "$active_seconds" is_down "$service"; then
      echo "$service is stopped"
    else
      echo "$service is still $(systemctl is-active "$service")" >&2
      still="$still $service"
    fi
  done
  [ -z "$still" ] || fail "not stopped:$still"
}
