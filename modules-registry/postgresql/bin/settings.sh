#!/bin/sh
# Read by the other scripts: where PostgreSQL is, and the directories that they share.
data=$PG_DIRECTORY/data
sockets=/run/holdfast-postgresql

# The server's parent process alone: its children have other words, and end when it does. postmaster.pid can't tell which it is: it is
# replicated, so it may come from the other node, and its number may be any process here.
server_name=postgres
server_words="-D $data"
server_log=$SAFEUSERVAR/postgresql.log
. "$SAFEUSERBIN/server.sh"
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
