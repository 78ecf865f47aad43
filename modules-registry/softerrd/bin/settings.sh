#!/bin/sh
# Read by the other scripts: the two servers of the application.
server_name=idle_server
server_log=$SAFEUSERVAR/servers.log
. "$SAFEUSERBIN/server.sh"

# choose front|worker
choose() {
  server_id=$1
  server_words="$SAFEUSERBIN/idle_server $1"
}

start_chosen() {
  start_server 5 server_runs "$SAFEUSERBIN/idle_server" "$server_id"
}
