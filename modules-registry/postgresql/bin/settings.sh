#!/bin/sh
# Read by the other scripts: where PostgreSQL is, and the directories that they share.
. "$SAFEUSERBIN/wait.sh"
data=$PG_DIRECTORY/data
sockets=/run/holdfast-postgresql
log=$SAFEUSERVAR/postgresql.log
evidence_pid=$SAFEUSERVAR/evidence.pid

# The data directory names its major version; a new one gets the newest version that is installed.
find_programs() {
  if [ -s "$data/PG_VERSION" ]; then
    programs=/usr/lib/postgresql/$(cat "$data/PG_VERSION")/bin
  else
    programs=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
  fi
  [ -x "$programs/postgres" ]
}

# A server process does not accept root. runuser opens no session: nothing ends with one.
as_postgres() {
  runuser -u postgres -- "$@"
}

# The id of the server that runs on this node on our data directory, or nothing. postmaster.pid can't tell: it is
# replicated, so it may come from the other node, and its number may be any process here.
server_pid() {
  for directory in /proc/[0-9]*; do
    if tr '\0' ' ' 2>/dev/null <"$directory/cmdline" | grep -q "/postgres -D $data "; then
      echo "${directory#/proc/}"
      return
    fi
  done
}
