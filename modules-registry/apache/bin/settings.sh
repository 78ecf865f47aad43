#!/bin/sh
# Read by the other scripts: the settings that Apache gets, and how its processes are recognised.
settings=$HOLDFAST_RUN/apache.conf
server_name=apache2
server_words="-f $settings"
server_log=$SAFEUSERVAR/apache.log
stop_seconds=20
. "$SAFEUSERBIN/server.sh"

# Modules are those that are enabled on this node; everything else that an operator wrote is in the replicated directory.
write_settings() {
  cat >"$settings" <<END
Define HOLDFAST_RUNTIME $run_directory
# Debian's files of modules use these; its own start script would define them.
Define APACHE_RUN_DIR $run_directory
Define APACHE_LOG_DIR $SAFEUSERVAR
ServerRoot /etc/apache2
ServerName localhost
User www-data
Group www-data
PidFile $run_directory/apache.pid
DefaultRuntimeDir $run_directory
Mutex file:$run_directory default
ErrorLog $SAFEUSERVAR/error.log
Listen $WEB_PORT
IncludeOptional mods-enabled/*.load
IncludeOptional mods-enabled/*.conf
DocumentRoot $WEB_DIRECTORY/html
<Directory />
  AllowOverride None
  Require all denied
</Directory>
<Directory $WEB_DIRECTORY/html>
  Options Indexes FollowSymLinks
  Require all granted
</Directory>
IncludeOptional $WEB_DIRECTORY/conf.d/*.conf
END
}

accepts_clients() {
  port_listens "$WEB_PORT"
}
