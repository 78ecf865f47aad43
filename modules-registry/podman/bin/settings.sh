#!/bin/sh
# Read by the other scripts: the container, and how podman and its processes are recognised.
container=holdfast-$HOLDFAST_MODULE
volume=$CONTAINER_DIRECTORY/volume
environment=$CONTAINER_DIRECTORY/env

# Podman's watcher of the container: it ends with the last process in it.
server_name=conmon
server_words="-n $container"
server_log=$SAFEUSERVAR/podman.log
. "$SAFEUSERBIN/server.sh"

# Podman says 1 for no; anything else is no answer, and nobody may take it for one.
container_exists() {
  podman container exists "$container"
  case $? in
  0) return 0 ;;
  1) return 1 ;;
  *) fail "podman does not tell whether the container $container exists" ;;
  esac
}

serves() {
  server_runs && port_listens "$CONTAINER_PORT"
}
