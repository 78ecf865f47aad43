#!/bin/sh
# Read by the other scripts: the server of the application.
server_name=idle_server
server_words="$SAFEUSERBIN/idle_server custom"
server_log=$SAFEUSERVAR/server.log
stop_seconds=10
. "$SAFEUSERBIN/server.sh"
