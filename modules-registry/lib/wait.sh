#!/bin/sh
# Read by scripts of modules: waiting with a maximum.

# wait_until SECONDS COMMAND...: true as soon as the command is, false when the time is over.
wait_until() {
  tries_max=$(($1 * 20))
  shift
  tries=0
  until "$@"; do
    tries=$((tries + 1))
    [ "$tries" -le "$tries_max" ] || return 1
    sleep 0.05
  done
}

# fail SENTENCE: what the operator reads in the log, and the end.
fail() {
  echo "$1" >&2
  exit 1
}
