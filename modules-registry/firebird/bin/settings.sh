#!/bin/sh
# Read by the other scripts: where Firebird is, and how its process is recognised.
data=$FB_DIRECTORY/data
users=$FB_DIRECTORY/security3.fdb
settings=$FB_DIRECTORY/firebird.conf
package=/etc/firebird/3.0

server_name=firebird
server_words="-p $FB_PORT"
server_log=$SAFEUSERVAR/firebird.log
stop_seconds=50
. "$SAFEUSERBIN/server.sh"

# The directory that the server takes for its installation. It is this node's own; settings of the operator are at the end.
write_settings() {
  cp "$package/plugins.conf" "$package/fbtrace.conf" "$run_directory" &&
    cat - "$settings" >"$run_directory/firebird.conf" <<END &&
DatabaseAccess = Restrict $data
SecurityDatabase = $users
RemoteServicePort = $FB_PORT
RemoteBindAddress =
END
    echo "security.db = $users" >"$run_directory/databases.conf"
}

accepts_clients() {
  port_listens "$FB_PORT"
}
