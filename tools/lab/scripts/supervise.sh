#!/bin/sh
# Stands for systemd in a lab node: starts a command, and starts it again one second after it ended, whatever the reason.
# Usage: supervise.sh PID_FILE LOG_FILE COMMAND...     SIGTERM ends the supervisor and passes the signal on.
pid_file=$1
log_file=$2
shift 2
child=
trap '[ -z "$child" ] || kill -TERM "$child" 2>/dev/null; wait; exit 0' TERM
while :; do
  "$@" >>"$log_file" 2>&1 </dev/null &
  child=$!
  echo "$child" >"$pid_file.new" && mv "$pid_file.new" "$pid_file"
  wait "$child"
  echo "supervise.sh: process $child ended with status $?" >>"$log_file"
  child=
  sleep 1 &
  wait $!
done
