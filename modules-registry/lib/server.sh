#!/bin/sh
# Read by scripts of modules: a server that the module starts itself, without a service manager. Whoever reads this sets
#   server_name   what the kernel calls its processes, at most 15 characters (mariadbd)
#   server_words  words of its command line that no other instance on this node has (--datadir=/srv/db/data)
#   server_log    where its output goes
# and server_id, which tells it from others of the same name, when the module has several: it sets all anew for each.
. "$SAFEUSERBIN/wait.sh"

# Sockets and what else a server writes that must neither be replicated nor outlive a boot.
run_directory=/run/holdfast-$HOLDFAST_MODULE

# make_run_directory USER
make_run_directory() {
  install -d -o "$1" -m 0755 "$run_directory"
}

# It is the daemon's directory: no server can write there whom we would kill.
session_file() {
  echo "$HOLDFAST_RUN/${server_id:-$server_name}.session"
}

# server_processes: the ids of all processes of the server on this node. A process is one of them when it has the name, and either
# the words or the session of the last start: workers that outlived their parent may have other words. A number in a file
# alone proves nothing, because it may be somebody else's by now; /run is empty after a boot.
server_processes() {
  session=
  [ ! -s "$(session_file)" ] || read -r session <"$(session_file)"
  for comm in $(grep -lx -- "$server_name" /proc/[0-9]*/comm 2>/dev/null); do
    process=${comm%/comm}
    words=$(tr '\0' ' ' 2>/dev/null <"$process/cmdline")
    # After the name, which may hold anything: state, parent, group, session.
    state=$(sed 's/.*) //' "$process/stat" 2>/dev/null) || continue
    case " $words " in
    *" $server_words "*) is_ours=yes ;;
    *) is_ours=no ;;
    esac
    # shellcheck disable=SC2086 # Its words.
    set -- $state
    [ "${1:-Z}" != Z ] || continue
    [ -z "$session" ] || [ "${4:-}" != "$session" ] || is_ours=yes
    [ $is_ours = no ] || echo "${process#/proc/}"
  done
}

server_runs() {
  [ -n "$(server_processes)" ]
}

server_has_ended() {
  ! server_runs
}

# port_listens PORT
port_listens() {
  ss -Hltn "sport = :$1" | grep -q .
}

# start_server SECONDS CHECK COMMAND...: starts the server in a session of its own and returns when CHECK, a function, is true.
start_server() {
  start_seconds=$1
  start_check=$2
  shift 2
  ! server_runs || fail "$server_name runs here already: process $(server_processes | tr '\n' ' ')"
  # No pipe of ours may stay open in the server: whoever started this script would wait for it.
  setsid "$@" </dev/null >>"$server_log" 2>&1 &
  started=$!
  echo "$started" >"$(session_file)"
  serves_or_ended() {
    "$start_check" || ! kill -0 "$started" 2>/dev/null
  }
  if wait_until "$start_seconds" serves_or_ended && "$start_check"; then
    echo "$server_name serves, process $started"
    return
  fi
  echo "$server_name did not serve within $start_seconds seconds, or ended:" >&2
  tail -n 10 "$server_log" >&2
  exit 1
}

# stop_server SIGNAL SECONDS: sends the signal to all processes of the server and returns when none is left.
stop_server() {
  running=$(server_processes)
  [ -n "$running" ] || return 0
  # shellcheck disable=SC2086 # A list of numbers. One that ended meanwhile is no failure.
  kill -"$1" $running 2>/dev/null
  wait_until "$2" server_has_ended ||
    fail "$server_name did not end within $2 seconds after SIG$1: process $(server_processes | tr '\n' ' ')"
  echo "$server_name has ended"
}
