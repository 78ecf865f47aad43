#!/bin/sh
# Read by the other scripts: where MariaDB is, and how its process is recognised.
settings=$DB_DIRECTORY/my.cnf
data=$DB_DIRECTORY/data

server_name=mariadbd
server_words=--datadir=$data
server_log=$SAFEUSERVAR/mariadb.log
stop_seconds=50
. "$SAFEUSERBIN/server.sh"
socket=$run_directory/mariadb.sock

# As the operating system's root, who needs no password on the socket.
accepts_clients() {
  mariadb-admin --no-defaults --socket="$socket" --connect-timeout=1 ping >/dev/null 2>&1
}
