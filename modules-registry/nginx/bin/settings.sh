#!/bin/sh
# Read by the other scripts: the settings that nginx gets, and how its processes are recognised.
settings=$HOLDFAST_RUN/nginx.conf
server_name=nginx
server_words=$settings
server_log=$SAFEUSERVAR/nginx.log
stop_seconds=20
. "$SAFEUSERBIN/server.sh"

# Only this node's own places; everything that an operator wrote is in the replicated directory.
write_settings() {
  cat >"$settings" <<END
user www-data;
worker_processes auto;
daemon off;
pid $run_directory/nginx.pid;
error_log $SAFEUSERVAR/error.log;
events {}
http {
  include /etc/nginx/mime.types;
  default_type application/octet-stream;
  access_log off;
  client_body_temp_path $run_directory/body;
  proxy_temp_path $run_directory/proxy;
  fastcgi_temp_path $run_directory/fastcgi;
  uwsgi_temp_path $run_directory/uwsgi;
  scgi_temp_path $run_directory/scgi;
  include $WEB_DIRECTORY/conf.d/*.conf;
  server {
    listen $WEB_PORT default_server;
    listen [::]:$WEB_PORT default_server;
    root $WEB_DIRECTORY/html;
    include $WEB_DIRECTORY/server.d/*.conf;
  }
}
END
}

accepts_clients() {
  port_listens "$WEB_PORT"
}
